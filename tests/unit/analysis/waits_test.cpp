// SPDX-License-Identifier: Apache-2.0
#include "analysis/waits.h"

#include "analysis/stalls.h"
#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;
using namespace loopsnoop::analysis_test;

TEST_CASE("waits in a row with one cause and stack are one entry, their durations summed") {
	const auto merged = report_waits(
	    {wait(Cause::socket, "recvfrom", 10, 5, {application(1)}), wait(Cause::socket, "recvfrom", 20, 7, {application(1)}),
	     wait(Cause::socket, "recvfrom", 40, 3, {application(2)}), wait(Cause::socket, "recvfrom", 50, 2, {application(1)})});
	REQUIRE(merged.size() == 3);
	CHECK(merged[0].duration_ns == 12);
	CHECK(merged[0].count == 2);
	CHECK(merged[0].start_ns == 10);
	CHECK(merged[1].stack->python.front().line == 2);
	CHECK(merged[2].duration_ns == 2);
}

TEST_CASE("other causes and calls keep waits apart") {
	CHECK(report_waits(
	          {wait(Cause::socket, "recvfrom", 10, 5, {application(1)}), wait(Cause::socket, "poll", 20, 7, {application(1)})})
	          .size() == 2);
	CHECK(report_waits({wait(Cause::socket, "read", 10, 5, {application(1)}), wait(Cause::pipe, "read", 20, 7, {application(1)})})
	          .size() == 2);
}

TEST_CASE("the longest sixteen are kept, oldest first") {
	std::vector<Wait> waits;
	waits.reserve(40);
	for (int i = 0; i < 40; i++) {
		waits.push_back(wait(Cause::socket, "recvfrom", static_cast<std::uint64_t>(1000 - i * 10),
		                     static_cast<std::uint64_t>(i + 1), {application(i)}));
	}
	const auto kept = report_waits(std::move(waits));
	REQUIRE(kept.size() == max_reported_waits);
	for (std::size_t i = 0; i < kept.size(); i++) {
		CHECK(kept[i].duration_ns > 24);
		CHECK((i == 0 || kept[i - 1].start_ns < kept[i].start_ns));
	}
}

TEST_CASE("waits without a stack go to the only stack seen of their call, and stay apart when there are two") {
	const auto one =
	    report_waits({wait(Cause::file_io, "fsync", 10, 50, {}), wait(Cause::file_io, "fsync", 70, 1, {application(1)})});
	REQUIRE(one.size() == 1);
	CHECK(one[0].duration_ns == 51);
	CHECK(one[0].count == 2);
	CHECK(one[0].start_ns == 10);
	REQUIRE(one[0].stack.has_value());

	const auto two =
	    report_waits({wait(Cause::file_io, "fsync", 10, 50, {}), wait(Cause::file_io, "fsync", 70, 1, {application(1)}),
	                  wait(Cause::file_io, "fsync", 80, 1, {application(2)})});
	CHECK(two.size() == 3);
}

TEST_CASE("time moves between causes, never more than there is") {
	Breakdown breakdown{};
	part_of(breakdown, Cause::file_io) = {100, 2};
	reclassify(breakdown, Cause::file_io, Cause::pipe, 60, 1);
	CHECK(part_of(breakdown, Cause::file_io).ns == 40);
	CHECK(part_of(breakdown, Cause::pipe).ns == 60);
	reclassify(breakdown, Cause::file_io, Cause::pipe, 1000, 5);
	CHECK(part_of(breakdown, Cause::file_io).ns == 0);
	CHECK(part_of(breakdown, Cause::pipe).ns == 100);
	CHECK(part_of(breakdown, Cause::pipe).count == 2);
}

TEST_CASE("computing is what is left of the duration, never negative") {
	Breakdown breakdown{};
	part_of(breakdown, Cause::socket) = {70, 1};
	balance(breakdown, 100);
	CHECK(part_of(breakdown, Cause::cpu).ns == 30);
	balance(breakdown, 50);
	CHECK(part_of(breakdown, Cause::cpu).ns == 0);
}

TEST_CASE("samples of one stack are one part, the longest first") {
	Stack a, b;
	a.python = {application(1)};
	b.python = {application(2)};
	const auto parts = report_samples({{1, 9, a}, {1, 5, b}, {1, 5, b}});
	REQUIRE(parts.size() == 2);
	CHECK(parts[0].samples == 2);
	CHECK(parts[0].ns == 10);
	CHECK(parts[0].stack.python.front().line == 2);
}

TEST_CASE("what interrupts did on the thread's time is left out, and a line is where most of its time was") {
	const auto sample = [](std::uint64_t ns, std::vector<KernelFrame> kernel) {
		Stack stack;
		stack.python = {application(1)};
		stack.kernel = std::move(kernel);
		return CpuPart{1, ns, std::move(stack)};
	};
	const KernelFrame softirq{"handle_softirqs", 1};
	const KernelFrame interrupt{"asm_sysvec_apic_timer_interrupt", 1};
	const KernelFrame write{"__x64_sys_write", 1};
	const KernelFrame entry{"entry_SYSCALL_64_after_hwframe", 1};

	auto parts = report_samples({sample(5, {softirq, interrupt}), sample(5, {})});
	REQUIRE(parts.size() == 1);
	CHECK(parts[0].stack.kernel.empty());
	CHECK(parts[0].ns == 10);

	parts = report_samples({sample(5, {write, entry}), sample(5, {}), sample(5, {})});
	REQUIRE(parts.size() == 1);
	CHECK(parts[0].samples == 3);
	CHECK(parts[0].stack.kernel.empty());

	parts = report_samples({sample(5, {}), sample(5, {softirq, interrupt, write, entry}), sample(5, {write, entry})});
	REQUIRE(parts.size() == 1);
	REQUIRE(parts[0].stack.kernel.size() == 2);
	CHECK(parts[0].stack.kernel[0].function == "__x64_sys_write");
}

TEST_CASE("no wait is longer than what was left of its iteration when it began") {
	constexpr std::uint64_t s = 1'000'000'000;
	Stall stall;
	stall.start_ns = 100 * s;
	stall.duration_ns = 4560'000'000;
	stall.waits = {wait(Cause::futex, "futex", 103'680'000'000, 4630'000'000, {application(1)}),
	               wait(Cause::socket, "recvfrom", 101 * s, 2 * s, {application(2)})};
	CHECK(cut_to_iteration(stall) == 1);
	CHECK(stall.waits[0].duration_ns == 880'000'000);
	CHECK(stall.waits[1].duration_ns == 2 * s);
	CHECK(cut_to_iteration(stall) == 0);
	stall.waits = {wait(Cause::futex, "futex", 105 * s, s, {})}; // after the end
	CHECK(cut_to_iteration(stall) == 1);
	CHECK(stall.waits[0].duration_ns == 0);
}
