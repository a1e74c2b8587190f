// SPDX-License-Identifier: Apache-2.0
// Real interpreters that stand in all shapes of code: what is read from outside must be what CPython says of itself. Those of
// scripts/fetch-pythons, the machine's own, and those that LOOPSNOOP_EXTRA_PYTHONS names (paths, separated by colons).
#include <fstream>
#include <map>
#include <sstream>

#include "catch.h"
#include "process/procfs.h"
#include "pythons.h"
#include "runtimes/cpython/interpreter.h"
#include "runtimes/detect.h"
#include "target.h"

using namespace loopsnoop;
using runtimes::cpython::Interpreter;
using test::fs_base_of;
using test::Python;
using test::Scripts;
using test::Target;

namespace {

struct ReportedThread {
	std::uint32_t tid = 0; // as the thread itself sees it
	std::string name;
	std::vector<SourceFrame> frames;
};

std::vector<ReportedThread> parse_report(const std::vector<std::string> &lines) {
	std::vector<ReportedThread> threads;
	for (const std::string &line : lines) {
		std::istringstream words(line);
		std::string kind;
		words >> kind;
		if (kind == "thread") {
			ReportedThread &thread = threads.emplace_back();
			words >> thread.tid >> thread.name;
		} else if (kind == "frame" && !threads.empty()) {
			std::string number;
			SourceFrame frame;
			words >> number;
			words.ignore(1);
			std::getline(words, frame.function, '\t');
			std::getline(words, frame.file);
			if (number != "-") {
				frame.line = std::stoi(number);
			}
			threads.back().frames.push_back(frame);
		}
	}
	return threads;
}

// Lines of shapes.py that say in a comment which thread stands there.
std::map<std::string, int> marked_lines() {
	std::map<std::string, int> marks;
	std::ifstream file(test::python_scripts() / "shapes.py");
	int number = 0;
	for (std::string line; std::getline(file, line);) {
		++number;
		const std::string mark = "# at: ";
		if (const auto at = line.find(mark); at != std::string::npos && line.find('"') == std::string::npos) {
			marks[line.substr(at + mark.size())] = number;
		}
	}
	return marks;
}

std::string text_of(const std::vector<SourceFrame> &frames) {
	std::string text;
	for (const SourceFrame &frame : frames) {
		text += "\n  " + frame.function + " " + frame.file + ":" + (frame.line ? std::to_string(*frame.line) : "-");
	}
	return text;
}

void check_all_shapes(const Python &python, const std::string &minor) {
	const Scripts folder(python.root);
	Target target({python.program, "-B", folder.inside("shapes.py")}, {python.root, false});
	const auto lines = target.lines_until("ready");
	REQUIRE(lines);
	const auto threads = parse_report(*lines);
	REQUIRE(threads.size() > 50);

	const process::ProcFs proc;
	auto interpreter = Interpreter::find(proc, target.pid());
	REQUIRE(interpreter);
	CHECK(interpreter->version().rfind(minor + ".", 0) == 0);
	const Runtime runtime = runtimes::detect(proc, target.pid());
	CHECK(runtime.kind == RuntimeKind::cpython);
	CHECK(runtime.version == interpreter->version());

	const auto marks = marked_lines();
	std::size_t marks_seen = 0;
	// Twice: names and lines are read the first time and kept the second.
	for (int round = 0; round < 2; ++round) {
		for (const ReportedThread &thread : threads) {
			INFO("CPython " << interpreter->version() << ", thread " << thread.name);
			const auto state = interpreter->thread_state(thread.tid, 0);
			REQUIRE(state);
			const auto frames = interpreter->resolve(interpreter->frames(*state));
			INFO("said:" << text_of(thread.frames) << "\nread:" << text_of(frames));
			REQUIRE(frames.size() == thread.frames.size());
			for (std::size_t i = 0; i < frames.size(); ++i) {
				CHECK(frames[i].function == thread.frames[i].function);
				CHECK(frames[i].file == thread.frames[i].file);
				CHECK(frames[i].line == thread.frames[i].line);
			}
			if (const auto mark = marks.find(thread.name); mark != marks.end()) {
				++marks_seen;
				CHECK(frames.front().line == mark->second);
			}
		}
	}
	CHECK(marks_seen == 2 * marks.size());

	for (const ReportedThread &thread : threads) {
		const auto base = fs_base_of(thread.tid);
		REQUIRE(base);
		CHECK(interpreter->thread_state(thread.tid, *base) == interpreter->thread_state(thread.tid, 0));
	}
	CHECK(interpreter->layout().gil_end - interpreter->layout().gil_begin == 176);
	CHECK(interpreter->gils().ranges().size() == 1);
	CHECK_FALSE(interpreter->thread_state(target.pid() + 1, 0x1000));
}

void check_suite(const std::string &suite, const std::string &minor) {
	if (const auto python = test::python_of(suite)) {
		check_all_shapes(*python, minor);
	}
}

} // namespace

TEST_CASE("CPython 3.9: all shapes of code, in another root") { check_suite("bullseye", "3.9"); }
TEST_CASE("CPython 3.11: all shapes of code, in another root") { check_suite("bookworm", "3.11"); }
TEST_CASE("CPython 3.13: all shapes of code, in another root") { check_suite("trixie", "3.13"); }
TEST_CASE("CPython 3.14: all shapes of code, in another root") { check_suite("sid", "3.14"); }
TEST_CASE("CPython 3.15: all shapes of code, in another root") { check_suite("sid:3.15", "3.15"); }
TEST_CASE("this machine's python3: all shapes of code") { check_all_shapes({"", "/usr/bin/python3"}, "3"); }

TEST_CASE("further interpreters: all shapes of code") {
	std::istringstream programs(test::from_environment("LOOPSNOOP_EXTRA_PYTHONS"));
	for (std::string program; std::getline(programs, program, ':');) {
		INFO(program);
		check_all_shapes({"", program}, "3");
	}
}
