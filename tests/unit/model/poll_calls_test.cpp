// SPDX-License-Identifier: Apache-2.0
#include "model/poll_calls.h"

#include <array>

#include "catch.h"

using namespace loopsnoop;

TEST_CASE("a poll call without a time-out is known by its arguments") {
	constexpr std::uint64_t forever = 0xffffffff; // -1, an int: the upper half of the register says nothing
	using Args = std::array<std::uint64_t, 6>;
	CHECK(has_no_timeout("epoll_wait", Args{5, 1, 64, forever, 0, 0}));
	CHECK_FALSE(has_no_timeout("epoll_pwait", Args{5, 1, 64, 250, 0, 0}));
	CHECK(has_no_timeout("poll", Args{1, 2, ~0ULL, 0, 0, 0}));
	CHECK_FALSE(has_no_timeout("poll", Args{1, 2, 0, 0, 0, 0}));
	CHECK(has_no_timeout("pselect6", Args{4, 1, 0, 0, 0, 0}));
	CHECK_FALSE(has_no_timeout("select", Args{4, 1, 0, 0, 0x7ff0, 0}));
	CHECK(has_no_timeout("ppoll", Args{1, 2, 0, 0, 0, 0}));
	CHECK(has_no_timeout("epoll_pwait2", Args{5, 1, 64, 0, 0, 0}));
	CHECK(has_no_timeout("futex", Args{0x1000, 128, 2, 0, 0, 0}));
	CHECK_FALSE(has_no_timeout("futex", Args{0x1000, 128, 2, 0x7ff0, 0, 0}));
	CHECK_FALSE(has_no_timeout("nanosleep", Args{}));
}
