// SPDX-License-Identifier: Apache-2.0
// Real interpreters in all kinds of situations.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>

#include "catch.h"
#include "process/procfs.h"
#include "pythons.h"
#include "runtimes/cpython/interpreter.h"
#include "runtimes/detect.h"
#include "target.h"

using namespace loopsnoop;
using runtimes::cpython::Interpreter;
using test::fs_base_of;
using test::python_of;
using test::Scripts;
using test::Target;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> functions_of(const std::vector<SourceFrame> &frames) {
	std::vector<std::string> functions;
	functions.reserve(frames.size());
	for (const SourceFrame &frame : frames) {
		functions.push_back(frame.function);
	}
	return functions;
}

// Calls `check` until it holds; false after ten seconds.
template <typename Check> bool becomes_true(Check check) {
	for (int i = 0; i < 1000; ++i) {
		if (check()) {
			return true;
		}
		::usleep(10'000);
	}
	return false;
}

// Runs `body` with each interpreter that is there, in a suite's root, and a folder of the scripts in it.
void each_python(const std::function<void(const std::string &suite, const test::Python &python, const Scripts &folder)> &body) {
	for (const char *suite : {"bullseye", "bookworm", "trixie", "sid", "sid:3.15"}) {
		if (const auto python = python_of(suite)) {
			INFO(suite);
			body(suite, *python, Scripts(python->root));
		}
	}
}

} // namespace

TEST_CASE("the innermost 128 frames of a deep stack") {
	each_python([&](const std::string &, const test::Python &python, const Scripts &folder) {
		Target target({python.program, "-B", folder.inside("deep.py"), "300"}, {python.root, false});
		REQUIRE(target.lines_until("ready"));
		auto interpreter = Interpreter::find(process::ProcFs{}, target.pid());
		REQUIRE(interpreter);
		const auto state = interpreter->thread_state(target.pid(), 0);
		REQUIRE(state);
		const auto frames = interpreter->resolve(interpreter->frames(*state));
		REQUIRE(frames.size() == 128);
		CHECK(std::ranges::all_of(frames, [](const SourceFrame &frame) { return frame.function == "dive"; }));
		CHECK(std::ranges::all_of(frames.begin() + 1, frames.end(), [](const SourceFrame &frame) { return frame.line == 11; }));
	});
}

TEST_CASE("a thread that waits for the GIL waits in the GIL's range, and the holder is another") {
	const process::ProcFs proc;
	each_python([&](const std::string &, const test::Python &python, const Scripts &folder) {
		Target target({python.program, "-B", folder.inside("busy.py"), "2"}, {python.root, false});
		REQUIRE(target.lines_until("ready"));
		auto interpreter = Interpreter::find(proc, target.pid());
		REQUIRE(interpreter);
		const PythonLayout &layout = interpreter->layout();
		constexpr long futex = 202;
		const auto waits = [&](std::uint32_t tid, bool for_gil) {
			const auto call = proc.syscall(target.pid(), tid);
			return call && call->number == futex &&
			       (call->args[0] >= layout.gil_begin && call->args[0] < layout.gil_end) == for_gil;
		};
		CHECK(becomes_true([&] {
			const auto tasks = proc.threads(target.pid());
			return std::ranges::any_of(
			    tasks, [&](const process::ThreadEntry &task) { return task.tid != target.pid() && waits(task.tid, true); });
		}));
		// It has said that it is ready, and only then waits for an event, for good.
		REQUIRE(becomes_true([&] { return waits(target.pid(), false); }));
		std::set<std::uint32_t> holders;
		CHECK(becomes_true([&] {
			const auto holder = interpreter->gil_holder();
			if (holder && holder->tid) {
				holders.insert(*holder->tid);
				CHECK(interpreter->thread_state(*holder->tid, holder->thread_id) == holder->thread_state);
			}
			return holders.size() == 2;
		}));
		CHECK_FALSE(holders.contains(target.pid()));
	});
}

TEST_CASE("nobody holds the GIL of a process that sleeps") {
	const auto python = python_of("trixie");
	if (!python) {
		return;
	}
	const Scripts folder(python->root);
	Target target({python->program, "-B", folder.inside("deep.py"), "3"}, {python->root, false});
	REQUIRE(target.lines_until("ready"));
	auto interpreter = Interpreter::find(process::ProcFs{}, target.pid());
	REQUIRE(interpreter);
	CHECK(becomes_true([&] { return !interpreter->gil_holder(); }));
}

TEST_CASE("a target in another PID namespace") {
	const process::ProcFs proc;
	each_python([&](const std::string &, const test::Python &python, const Scripts &folder) {
		Target target({python.program, "-B", folder.inside("busy.py"), "1"}, {python.root, true});
		REQUIRE(target.lines_until("ready"));
		auto interpreter = Interpreter::find(proc, target.pid());
		REQUIRE(interpreter);
		const auto state = interpreter->thread_state(target.pid(), 0);
		REQUIRE(state);
		CHECK(state == interpreter->thread_state(target.pid(), fs_base_of(target.pid()).value_or(0)));
		CHECK(functions_of(interpreter->resolve(interpreter->frames(*state))).back() == "<module>");
		const auto tasks = proc.threads(target.pid());
		REQUIRE(tasks.size() == 2);
		CHECK(becomes_true([&] {
			const auto holder = interpreter->gil_holder();
			return holder && holder->tid == tasks.back().tid;
		}));
	});
}

TEST_CASE("code objects made anew where others were have their own names and lines") {
	const process::ProcFs proc;
	each_python([&](const std::string &, const test::Python &python, const Scripts &folder) {
		Target target({python.program, "-B", folder.inside("churn.py")}, {python.root, false});
		std::optional<Interpreter> interpreter;
		std::set<std::uint64_t> addresses;
		for (int i = 0; i < 200; ++i) {
			const std::string name = "made_" + std::to_string(i);
			REQUIRE(target.lines_until(name));
			if (!interpreter) {
				interpreter = Interpreter::find(proc, target.pid());
			}
			REQUIRE(interpreter);
			const auto state = interpreter->thread_state(target.pid(), 0);
			REQUIRE(state);
			const auto refs = interpreter->frames(*state);
			const auto frames = interpreter->resolve(refs);
			REQUIRE(frames.size() >= 3);
			const auto made = std::ranges::find(frames, name, &SourceFrame::function);
			REQUIRE(made != frames.end());
			addresses.insert(refs[static_cast<std::size_t>(made - frames.begin())].code);
			CHECK(made->file == name + ".py");
			CHECK(made->line == i + 2);
			target.send("\n");
		}
		CHECK(addresses.size() < 200); // otherwise this tested nothing
	});
}

TEST_CASE("sub-interpreters") {
	each_python([&](const std::string &suite, const test::Python &python, const Scripts &folder) {
		Target target({python.program, "-B", folder.inside("subinterpreter.py")}, {python.root, false});
		REQUIRE(target.lines_until("ready"));
		auto interpreter = Interpreter::find(process::ProcFs{}, target.pid());
		REQUIRE(interpreter);
		const auto tasks = process::ProcFs{}.threads(target.pid());
		REQUIRE(tasks.size() == 2);
		const std::uint32_t tid = tasks.back().tid;
		const auto state = interpreter->thread_state(tid, fs_base_of(tid).value_or(0));
		REQUIRE(state);
		const auto functions = functions_of(interpreter->resolve(interpreter->frames(*state)));
		// Before 3.12 a thread that enters a sub-interpreter through _xxsubinterpreters borrows the thread state of the thread
		// that made it, under that thread's id: seen from outside, it stands where it went in.
		const bool own_gil = suite == "trixie" || suite.starts_with("sid"); // PEP 684
		const auto inside = std::ranges::find(functions, "inside");
		CHECK((inside == functions.begin()) == own_gil);
		CHECK(interpreter->gils().ranges().size() == (own_gil ? 2 : 1));
		const auto &ranges = interpreter->gils().ranges();
		CHECK(ranges.back().begin == interpreter->layout().gil_begin);
	});
}

TEST_CASE("libpython in a program of another name") {
	const fs::path library = "/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0";
	if (!fs::exists(library)) {
		if (test::from_environment("LOOPSNOOP_ALLOW_SKIP") != "1") {
			FAIL("no " << library << ": install libpython3.11");
		}
		WARN("skipped: no " << library);
		return;
	}
	const process::ProcFs proc;
	const std::string code = "import time\ndef held():\n  print('ready', flush=True)\n  time.sleep(\n    100_000)\nheld()\n";
	Target target({LOOPSNOOP_EMBED_PYTHON, library, code});
	REQUIRE(target.lines_until("no Python yet"));
	runtimes::FilesWithout without;
	CHECK_FALSE(Interpreter::find(proc, target.pid(), &without));
	target.send("\n");
	REQUIRE(target.lines_until("ready"));
	auto interpreter = Interpreter::find(proc, target.pid(), &without);
	REQUIRE(interpreter);
	CHECK(interpreter->version().rfind("3.11.", 0) == 0);
	CHECK(runtimes::detect(proc, target.pid()).kind == RuntimeKind::cpython);
	const auto state = interpreter->thread_state(target.pid(), 0);
	REQUIRE(state);
	std::vector<SourceFrame> frames;
	CHECK(becomes_true([&] { // it says "ready" a line before
		frames = interpreter->resolve(interpreter->frames(*state));
		return !frames.empty() && frames.front().line == 4;
	}));
	REQUIRE(frames.size() == 2);
	CHECK(frames[0].function == "held");
	CHECK(frames[0].file == "<string>");
	CHECK(frames[1].function == "<module>");
	CHECK(frames[1].line == 6);
}

TEST_CASE("an interpreter whose file was replaced while it runs") {
	const Scripts folder("");
	const fs::path copy = folder.outside() / "python3.11";
	fs::copy_file(fs::canonical("/usr/bin/python3"), copy);
	Target target({copy, "-B", folder.inside("deep.py"), "3"});
	REQUIRE(target.lines_until("ready"));
	fs::remove(copy);
	std::ofstream(copy) << "not an ELF file";
	auto interpreter = Interpreter::find(process::ProcFs{}, target.pid());
	REQUIRE(interpreter);
	CHECK(interpreter->version().rfind("3.", 0) == 0);
	CHECK(interpreter->thread_state(target.pid(), 0));
}

TEST_CASE("an interpreter that is just starting is found by asking again") {
	each_python([&](const std::string &, const test::Python &python, const Scripts &folder) {
		Target target({python.program, "-B", folder.inside("deep.py"), "3"}, {python.root, false});
		std::optional<Interpreter> interpreter;
		runtimes::FilesWithout without;
		CHECK(becomes_true([&] {
			interpreter = Interpreter::find(process::ProcFs{}, target.pid(), &without);
			return interpreter.has_value();
		}));
		REQUIRE(target.lines_until("ready"));
		// What was found that early holds for the rest of its life, the GIL included.
		const auto again = Interpreter::find(process::ProcFs{}, target.pid());
		REQUIRE((interpreter && again));
		CHECK(interpreter->layout().gil_begin == again->layout().gil_begin);
		CHECK(interpreter->thread_state(target.pid(), 0) == again->thread_state(target.pid(), 0));
	});
}

TEST_CASE("processes that are no CPython") {
	const process::ProcFs proc;
	const auto self = static_cast<std::uint32_t>(::getpid());
	runtimes::FilesWithout without;
	CHECK_FALSE(Interpreter::find(proc, self, &without));
	// Its symbols are not searched again.
	const auto exe = proc.exe(self);
	const auto maps = proc.maps(self);
	REQUIRE((exe && maps));
	for (const process::Mapping &mapping : *maps) {
		CHECK(without.has(mapping) == (mapping.path == exe->path));
	}
	CHECK_FALSE(Interpreter::find(proc, self, &without));
	CHECK(runtimes::detect(proc, self).kind == RuntimeKind::native);
	CHECK_FALSE(Interpreter::find(proc, 0x3fffffff));
	CHECK(runtimes::detect(proc, 0x3fffffff).kind == RuntimeKind::native);
	if (!fs::exists("/usr/bin/node")) {
		return;
	}
	Target node({"/usr/bin/node", "-e", "console.log(process.versions.node); console.log('ready'); setInterval(() => {}, 1000)"});
	const auto lines = node.lines_until("ready");
	REQUIRE((lines && lines->size() == 1));
	const Runtime runtime = runtimes::detect(proc, node.pid());
	CHECK(runtime.kind == RuntimeKind::node);
	CHECK(runtime.version == lines->front());
	CHECK_FALSE(Interpreter::find(proc, node.pid()));
}
