// SPDX-License-Identifier: Apache-2.0
#include "elf/work_limit.h"

#include "base/clock.h"
#include "catch.h"
#include "elf/byte_source.h"

using namespace loopsnoop::elf;

namespace {

constexpr std::uint64_t ms = 1'000'000;

// Computes until the limit says that it is enough; false: it never did.
bool is_stopped() {
	const std::uint64_t began = loopsnoop::monotonic_ns();
	while (loopsnoop::monotonic_ns() - began < 20'000 * ms) {
		if (WorkLimit::used_up_by_step()) {
			return true;
		}
	}
	return false;
}

} // namespace

TEST_CASE("where no limit is in force nothing is used up") {
	WorkLimit::count_bytes(~std::size_t{0} / 2);
	WorkLimit::refuse();
	CHECK_FALSE(WorkLimit::used_up());
	CHECK_FALSE(WorkLimit::hit());
}

TEST_CASE("CPU time and bytes are used up") {
	{
		const WorkLimit limit(1, ms);
		CHECK_FALSE(WorkLimit::hit());
		CHECK(is_stopped());
		CHECK(WorkLimit::hit());
		CHECK(WorkLimit::spent_ns() >= ms);
	}
	CHECK_FALSE(WorkLimit::hit());
	const WorkLimit limit(2);
	CHECK_FALSE(WorkLimit::used_up());
	WorkLimit::count_bytes(WorkLimit::max_bytes + 1);
	CHECK(WorkLimit::used_up());
}

TEST_CASE("the outer limit counts") {
	const WorkLimit outer(3);
	{
		const WorkLimit inner(3, 0);
		CHECK_FALSE(WorkLimit::used_up());
		WorkLimit::refuse();
	}
	CHECK(WorkLimit::hit());
}

TEST_CASE("what is held unpacked is bounded over all") {
	auto half = UnpackedRoom::take(UnpackedRoom::max_bytes_of_all / 2);
	auto other = UnpackedRoom::take(UnpackedRoom::max_bytes_of_all / 2);
	REQUIRE((half && other));
	const WorkLimit limit(5);
	CHECK(UnpackedRoom::take(1) == nullptr);
	CHECK(WorkLimit::hit());
	half.reset();
	CHECK(UnpackedRoom::take(1) != nullptr);
}
