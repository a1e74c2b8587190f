// SPDX-License-Identifier: Apache-2.0
#include "foreign/time_budget.h"

#include "catch.h"

using namespace loopsnoop::foreign;

TEST_CASE("who keeps us waiting has less time left, and gets a fifth of what passes") {
	TimeBudget budget;
	constexpr std::uint64_t ms = 1'000'000;
	CHECK(budget.left_ns(7, 0) == TimeBudget::full_ns);
	budget.charge(7, TimeBudget::free_ns, 0); // what the scheduler may take
	CHECK(budget.left_ns(7, 0) == TimeBudget::full_ns);
	budget.charge(7, 251 * ms, 1000 * ms);
	CHECK(budget.left_ns(7, 1000 * ms) == TimeBudget::full_ns - 250 * ms);
	CHECK(budget.left_ns(7, 1500 * ms) == TimeBudget::full_ns - 150 * ms);
	CHECK(budget.left_ns(8, 1500 * ms) == TimeBudget::full_ns); // another one's is its own
	budget.charge(7, 100'000 * ms, 2000 * ms);
	CHECK(budget.left_ns(7, 2000 * ms) == 0);
	CHECK(budget.left_ns(7, 2000 * ms + 100'000 * ms) == TimeBudget::full_ns);
	CHECK(budget.left_ns(7, 0) == 0); // a clock that went back gives nothing
}

TEST_CASE("accounts of a hundred thousand processes take no memory") {
	TimeBudget budget;
	for (std::uint64_t pid = 0; pid < 100'000; pid++) {
		budget.charge(pid, 10'000'000, 0);
	}
	CHECK(budget.left_ns(0, 0) == TimeBudget::full_ns);
	CHECK(budget.left_ns(99'999, 0) < TimeBudget::full_ns);
}
