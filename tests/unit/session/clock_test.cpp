// SPDX-License-Identifier: Apache-2.0
#include "session/clock.h"

#include <sys/eventfd.h>

#include "base/unique_fd.h"
#include "catch.h"
#include "fakes/fake_world.h"

using namespace loopsnoop;

TEST_CASE("a sleep ends at its moment, or when one of the descriptors can be read") {
	const UniqueFd quiet(eventfd(0, EFD_CLOEXEC)), filled(eventfd(1, EFD_CLOEXEC));
	const std::uint64_t begin = monotonic_ns();
	session::sleep_until(begin + 5 * ms, {quiet.get(), -1});
	CHECK(monotonic_ns() >= begin + 5 * ms);
	session::sleep_until(0, {});
	session::sleep_until(~0ULL, {quiet.get(), filled.get()});
	CHECK(monotonic_ns() < begin + 60'000 * ms);
}

TEST_CASE("a moment of the monotonic clock is written as the time of day that it had") {
	const session::Clock clock{[] { return std::uint64_t{5000}; }, [] { return std::uint64_t{86'400'000'000'000}; }, {}};
	CHECK(clock.rfc3339(5000) == "1970-01-02T00:00:00.000000Z");
	CHECK(clock.rfc3339(4000) == "1970-01-01T23:59:59.999999Z");
	CHECK(clock.rfc3339(6000) == "1970-01-02T00:00:00.000001Z"); // a little later than now: another clock said so
}
