// SPDX-License-Identifier: Apache-2.0
// Threads that compute while their process is dumped: who is sampled, which of the samples is shown, why some have none.
#include "inspect/running_stack.h"

#include <string>

#include "catch.h"
#include "fakes/fake_collector.h"
#include "fixture.h"

using namespace loopsnoop;
using inspect::MostFrequentStack;

namespace {

constexpr std::uint32_t pid = 5'000'001; // beyond PID_MAX_LIMIT: never a process of this machine

struct Target {
	FixtureTree tree;
	FakeCollector collector;
	process::ProcFs proc{tree.root()};
	inspect::Programs programs{proc};
	inspect::Children children{proc};
	inspect::Resolver resolver{proc, programs, children};
	inspect::Inspector inspector{collector, proc, programs, resolver, 4096};

	void sample(Dump &dump) { inspect::sample_running(collector, inspector, programs, resolver, dump); }
};

Dump dump_of(std::uint32_t threads, ThreadView::State state = ThreadView::State::running) {
	Dump dump;
	dump.pid = pid;
	for (std::uint32_t i = 0; i < threads; i++) {
		ThreadView &thread = dump.threads.emplace_back();
		thread.tid = pid + i;
		thread.state = state;
	}
	return dump;
}

RawSample sample_at(std::uint32_t tid, std::uint64_t instruction) {
	RawSample sample;
	sample.pid = sample.stack.pid = pid;
	sample.tid = sample.stack.tid = tid;
	sample.stack.from = StackFrom::captured;
	sample.stack.have_registers = true;
	sample.stack.registers.r.back() = instruction;
	return sample;
}

Stack native(std::string function, std::uint64_t offset) {
	Stack stack;
	stack.native = {{std::move(function), "/srv/app", offset, {}, {}}, {"main", "/srv/app", 0x10, {}, {}}};
	return stack;
}

Stack python(std::string function, int line) {
	Stack stack;
	stack.python = {{std::move(function), "/srv/app.py", line}};
	stack.native = {{"_PyEval_EvalFrameDefault", "/usr/bin/python3", static_cast<std::uint64_t>(line), {}, {}}};
	return stack;
}

} // namespace

TEST_CASE("of several stacks of a thread that is shown which was seen most often, wherever in its functions") {
	MostFrequentStack stacks;
	CHECK_FALSE(stacks.take());
	stacks.add(native("parse", 1));
	stacks.add(native("sort", 2));
	stacks.add(native("sort", 3));
	const auto most = stacks.take();
	REQUIRE(most);
	CHECK(most->native.front().function == "sort");
	CHECK(most->native.front().offset == 3); // the latest

	MostFrequentStack of_python;
	of_python.add(python("f", 1));
	of_python.add(python("g", 1));
	of_python.add(python("f", 2));
	CHECK(of_python.take()->python.front().function == "f");
}

TEST_CASE("code without names is alike by its callers") {
	MostFrequentStack stacks;
	const auto unnamed = [](std::uint64_t inner, std::uint64_t caller) {
		Stack stack;
		stack.native = {{{}, "/srv/app", inner, {}, {}}, {{}, "/srv/app", caller, {}, {}}};
		return stack;
	};
	stacks.add(unnamed(1, 0x100));
	stacks.add(unnamed(2, 0x200));
	stacks.add(unnamed(3, 0x200));
	CHECK(stacks.take()->native.back().offset == 0x200);
}

TEST_CASE("the main thread is sampled, and so many others, those first that were on a CPU") {
	Dump dump = dump_of(40, ThreadView::State::runnable);
	std::swap(dump.threads.front(), dump.threads.back());
	dump.threads[7].state = ThreadView::State::running;
	dump.threads[8].state = ThreadView::State::sleeping;
	dump.threads[9].stack = Stack{};
	const auto tids = inspect::threads_to_sample(dump);
	REQUIRE(tids.size() == inspect::max_sampled_threads);
	CHECK(tids[0] == pid);
	CHECK(tids[1] == pid + 7);
	CHECK(std::ranges::find(tids, pid + 8) == tids.end());
	CHECK(std::ranges::find(tids, pid + 9) == tids.end());
}

TEST_CASE("a thread that computes has the stack it was sampled in; of the others it is said why they have none") {
	Target target;
	Dump dump = dump_of(20);
	for (const std::uint64_t instruction : {0x1000U, 0x2000U}) {
		target.collector.samples.push_back(sample_at(pid, instruction));
	}
	target.collector.refused = {pid + 1};
	target.collector.threads[pid] = {};
	target.sample(dump);
	REQUIRE(target.collector.sampling.size() == 1);
	CHECK(target.collector.sampling.front().tids.size() == inspect::max_sampled_threads);
	CHECK_FALSE(target.collector.sampling.front().python);
	REQUIRE(dump.threads[0].stack);
	CHECK(dump.threads[0].sampled);
	CHECK_FALSE(dump.threads[0].no_stack);
	CHECK(dump.threads[0].stack->native.front().offset == 0x2000);
	CHECK(dump.threads[1].no_stack == NoStack::refused);
	CHECK(dump.threads[2].no_stack == NoStack::not_run);
	CHECK_FALSE(dump.threads[2].sampled);
	CHECK(dump.threads[19].no_stack == NoStack::too_many);
}

TEST_CASE("who has come to sleep meanwhile is seen asleep, and marked as moved") {
	Target target;
	Dump dump = dump_of(2);
	dump.threads[1].holds_gil = true;
	ThreadSnapshot asleep;
	asleep.pid = asleep.stack.pid = pid;
	asleep.tid = asleep.stack.tid = pid + 1;
	asleep.syscall = 35; // nanosleep
	asleep.now_ns = 5000;
	asleep.off_since_ns = 2000;
	asleep.stack.have_registers = true;
	target.collector.threads[pid] = {asleep};
	target.sample(dump);
	CHECK(dump.threads[0].no_stack == NoStack::not_run);
	CHECK(dump.threads[1].state == ThreadView::State::sleeping);
	CHECK(dump.threads[1].syscall == "nanosleep");
	CHECK(dump.threads[1].moved);
	CHECK_FALSE(dump.threads[1].no_stack);
	CHECK_FALSE(dump.threads[1].holds_gil);
	CHECK_FALSE(dump.threads[1].waited_ns);
}

TEST_CASE("where nothing computes nobody is sampled") {
	Target target;
	Dump dump = dump_of(3, ThreadView::State::sleeping);
	target.sample(dump);
	CHECK(target.collector.sampling.empty());
	CHECK(target.collector.snapshots_taken == 0);
	CHECK_FALSE(dump.threads[0].no_stack);
}
