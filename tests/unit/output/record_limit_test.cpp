// SPDX-License-Identifier: Apache-2.0
#include "output/record_limit.h"

#include <string>

#include "catch.h"
#include "output/json.h"

using namespace loopsnoop;

namespace {

Stack deep(std::size_t frames, const std::string &name) {
	Stack stack;
	for (std::size_t i = 0; i < frames; i++) {
		stack.python.push_back({name, "/srv/" + name, 7});
	}
	return stack;
}

Stall with_threads(std::size_t threads, std::size_t frames, const std::string &name) {
	Stall stall;
	stall.pid = stall.tid = 7;
	stall.threads.emplace();
	for (std::size_t i = 0; i < threads; i++) {
		ThreadView thread;
		thread.tid = static_cast<std::uint32_t>(i);
		thread.stack = deep(frames, name);
		stall.threads->push_back(thread);
	}
	return stall;
}

} // namespace

TEST_CASE("a record of the usual size stays as it is") {
	CHECK_FALSE(output::limited(with_threads(40, 30, "handle_request")));
	CHECK_FALSE(output::limited(ProcessExit{}));
}

TEST_CASE("a line is at most 1 MiB whatever the names are, and says what it is without") {
	std::string control;
	for (int i = 0; i < 4000; i++) {
		control += static_cast<char>(1 + i % 31);
	}
	for (const std::string &name : {control, std::string(4000, '\xff'), std::string(4000, '"'), std::string(20, 'x')}) {
		const auto record = output::limited(with_threads(300, 101, name));
		REQUIRE(record);
		const auto &stall = std::get<Stall>(*record);
		CHECK(output::to_json_line(*record).size() <= output::max_record_bytes);
		CHECK(output::to_json_line(*record).size() > 4096);
		REQUIRE(stall.left_out);
		CHECK(stall.left_out->threads == 300 - stall.threads->size());
		CHECK(output::to_json_line(*record).find("\"left_out\":{\"threads\":") != std::string::npos);
	}
}

TEST_CASE("a standstill's line is at most 1 MiB, too") {
	Standstill standstill;
	standstill.pid = standstill.tid = 7;
	standstill.threads = with_threads(300, 20, std::string(1000, '\x01')).threads;
	TaskGroup group;
	group.count = 3;
	group.names = std::vector<std::string>(8, std::string(4000, '"'));
	group.stack = deep(100, std::string(1000, 'x')).python;
	group.waits_for.emplace();
	group.waits_for->holders = std::vector<TaskHolder>(max_holders, {1, std::string(4000, '\xff'), SourceFrame{"a", "b", 1}});
	group.waits_for->thread_stack = Stack();
	group.waits_for->thread_stack->python = deep(100, std::string(1000, 'y')).python;
	const WorkersAt workers{5, SourceFrame{std::string(4000, '\x02'), "b", 1}, std::vector<std::uint32_t>(16, 4'000'000)};
	group.waits_for->executor = Executor{5, 5, 0, std::vector<WorkersAt>(4, workers)};
	standstill.tasks = std::vector<TaskGroup>(32, group);
	const auto record = output::limited(standstill);
	REQUIRE(record);
	const auto &smaller = std::get<Standstill>(*record);
	CHECK(output::to_json_line(*record).size() <= output::max_record_bytes);
	REQUIRE(smaller.left_out);
	CHECK(smaller.left_out->threads == 300 - smaller.threads->size());
	CHECK(smaller.left_out->frames > 0);
	CHECK(smaller.tasks.size() == 32);
	CHECK(output::to_json_line(*record).find("\"left_out\":{\"threads\":") != std::string::npos);
	standstill.threads = with_threads(3, 30, "work").threads;
	standstill.tasks = {TaskGroup{}};
	CHECK_FALSE(output::limited(standstill));
}

TEST_CASE("more threads than are reported are counted, though they would fit") {
	const auto record = output::limited(with_threads(1000, 0, ""));
	REQUIRE(record);
	CHECK(std::get<Stall>(*record).threads->size() == output::max_threads);
	CHECK(std::get<Stall>(*record).left_out->threads == 1000 - output::max_threads);
	CHECK(std::get<Stall>(*record).left_out->texts == 0);
}

TEST_CASE("a name is cut between characters") {
	std::string name;
	for (int i = 0; i < 2000; i++) {
		name += "\u20ac";
	}
	const auto record = output::limited(with_threads(300, 10, name));
	REQUIRE(record);
	const std::string &cut = std::get<Stall>(*record).threads->front().stack->python.front().function;
	CHECK(cut.size() <= output::max_text_bytes);
	CHECK(cut.ends_with("\u20ac\u2026"));
	CHECK(output::to_json_line(*record).find("\ufffd") == std::string::npos);
}

TEST_CASE("thousands of waits are cut, too") {
	Stall stall;
	for (int i = 0; i < 5000; i++) {
		Wait wait;
		wait.resource = FileResource{3, std::string(4000, '\x01')};
		wait.stack = deep(20, "f");
		stall.waits.push_back(wait);
	}
	const auto record = output::limited(stall);
	REQUIRE(record);
	CHECK(output::to_json_line(*record).size() <= output::max_record_bytes);
	CHECK(std::get<Stall>(*record).left_out->waits + std::get<Stall>(*record).waits.size() == 5000);
}
