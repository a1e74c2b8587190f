// SPDX-License-Identifier: Apache-2.0
// Threads of real programs, asleep: what eu-stack says of the same thread is the measure.
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <sstream>

#include "capture.h"
#include "catch.h"
#include "process/procfs.h"
#include "stacks/symbolizer.h"

using namespace loopsnoop;
using namespace loopsnoop::test;

namespace {

const std::string built = STACKS_BUILT;
const std::string sources = std::filesystem::canonical(STACKS_SOURCES).string();

std::string text_of(const Stack &stack) {
	std::string text;
	for (const NativeFrame &frame : stack.native) {
		text += fmt::format("{:#x} {} {} {}:{}\n", frame.offset, frame.function.value_or("-"), frame.module.value_or("-"),
		                    frame.file.value_or("-"), frame.line.value_or(0));
	}
	return text;
}

const NativeFrame *find(const Stack &stack, std::string_view function) {
	const auto found = std::find_if(stack.native.begin(), stack.native.end(),
	                                [&](const NativeFrame &frame) { return frame.function.value_or("") == function; });
	return found == stack.native.end() ? nullptr : &*found;
}

Stack stack_of(stacks::Symbolizer &symbolizer, std::uint32_t pid, std::uint32_t tid = 0, std::size_t bytes = 16384) {
	const auto raw = capture(pid, tid, bytes);
	REQUIRE(raw);
	return symbolizer.native_and_kernel(*raw);
}

Stack stack_of(std::uint32_t pid, std::uint32_t tid = 0, std::size_t bytes = 16384) {
	stacks::Symbolizer symbolizer{process::ProcFs()};
	return stack_of(symbolizer, pid, tid, bytes);
}

// The function of each frame as eu-stack shows it, "-" for those without; empty when eu-stack is not installed.
std::vector<std::string> oracle(std::uint32_t pid) {
	std::vector<std::string> functions;
	FILE *const pipe =
	    popen(fmt::format("eu-stack -1 -p {} 2>/dev/null", pid).c_str(), "r"); // NOLINT(cert-env33-c): a test's oracle
	if (pipe == nullptr) {
		return functions;
	}
	std::array<char, 8192> line{};
	while (std::fgets(line.data(), line.size(), pipe) != nullptr) {
		std::istringstream words(line.data());
		std::string number;
		std::string address;
		std::string name;
		words >> number >> address;
		std::getline(words >> std::ws, name);
		if (number.starts_with('#')) {
			functions.push_back(name.empty() ? "-" : name.substr(0, name.find('@')));
		}
	}
	pclose(pipe);
	return functions;
}

// Aliases of one function that differ by more than underscores: __libc_start_main_impl.
std::string bare(std::string_view name) {
	name.remove_prefix(std::min(name.find_first_not_of('_'), name.size()));
	return std::string(name.substr(0, name.find("_impl")));
}

// As many frames, and no frame named by both with another name.
void check_against_oracle(const Stack &stack, std::uint32_t pid) {
	const auto theirs = oracle(pid);
	if (theirs.empty()) {
		WARN("eu-stack (package elfutils) is not there or may not read the process: not compared");
		return;
	}
	REQUIRE(stack.native.size() == theirs.size());
	for (std::size_t i = 0; i < theirs.size(); ++i) {
		const std::string ours = stack.native[i].function.value_or("-");
		if (ours != "-" && theirs[i] != "-") {
			CHECK(bare(ours) == bare(theirs[i]));
		}
	}
}

// Only for complete stacks.
void check_complete(const Stack &stack, std::string_view outermost) {
	INFO(text_of(stack));
	CHECK_FALSE(stack.native_truncated);
	REQUIRE_FALSE(stack.native.empty());
	CHECK(stack.native.back().function.value_or("-").ends_with(outermost));
}

} // namespace

TEST_CASE("a C++ program's stack is complete, with lines, however it is linked") {
	for (const std::string kind : {"pie", "no_pie", "static", "compressed"}) {
		INFO(kind);
		Child child({built + "/stacks_" + kind});
		REQUIRE(child.line() == "ready");
		REQUIRE(child.sleeps_in(SYS_clock_nanosleep));
		const Stack stack = stack_of(child.pid());
		check_complete(stack, "_start");
		const NativeFrame *const block = find(stack, "target::block(int)");
		REQUIRE(block != nullptr);
		CHECK(block->file.value_or("").ends_with("targets/sleeper.cpp"));
		CHECK(block->line == 19);
		CHECK(block->module == std::filesystem::canonical(built + "/stacks_" + kind).string());
		CHECK(std::count_if(stack.native.begin(), stack.native.end(), [](const NativeFrame &frame) {
			      return frame.function.value_or("").starts_with("target::Job::run(");
		      }) == 4);
		CHECK(find(stack, "main") != nullptr);
		check_against_oracle(stack, child.pid());
	}
}

TEST_CASE("a stripped program has frames without names, none with a wrong one") {
	Child child({built + "/stacks_stripped"});
	REQUIRE(child.line() == "ready");
	REQUIRE(child.sleeps_in(SYS_clock_nanosleep));
	const Stack stack = stack_of(child.pid());
	INFO(text_of(stack));
	CHECK_FALSE(stack.native_truncated);
	CHECK(stack.native.size() >= 9);
	for (const NativeFrame &frame : stack.native) {
		if (frame.module.value_or("").ends_with("stacks_stripped")) {
			CHECK_FALSE(frame.function);
		}
	}
}

TEST_CASE("Python, deep in its own calls") {
	Child child({"/usr/bin/python3", sources + "/deep.py"});
	REQUIRE(child.line() == "ready");
	REQUIRE(child.sleeps_in(SYS_clock_nanosleep));
	CHECK(stack_of(child.pid(), 0, 4096).native_truncated);
	const Stack stack = stack_of(child.pid(), 0, 65536);
	check_complete(stack, "_start");
	CHECK(stack.native.size() > 40);
	CHECK(find(stack, "_PyEval_EvalFrameDefault") != nullptr);
	check_against_oracle(stack, child.pid());
}

TEST_CASE("redis, all its threads") {
	const std::string socket = fmt::format("/tmp/loopsnoop-stacks-{}.sock", getpid());
	Child child({"redis-server", "--port", "0", "--unixsocket", socket, "--save", ""});
	REQUIRE_FALSE(child.line().empty());
	REQUIRE(child.sleeps_in(SYS_epoll_wait));
	const Stack stack = stack_of(child.pid());
	check_complete(stack, "_start");
	CHECK(find(stack, "aeMain") != nullptr);
	check_against_oracle(stack, child.pid());
	const process::ProcFs procfs;
	for (const process::ThreadEntry &thread : procfs.threads(child.pid())) {
		check_complete(stack_of(child.pid(), thread.tid), thread.tid == child.pid() ? "_start" : "clone3");
	}
	std::filesystem::remove(socket);
}

TEST_CASE("Node, idle: down to _start, its workers to clone3") {
	Child child({"node", sources + "/app.js"});
	REQUIRE(child.line() == "ready");
	REQUIRE(child.sleeps_in(SYS_epoll_pwait));
	// libuv keeps 12 KiB of events on the stack of uv__io_poll: 16 KiB end above main().
	const Stack stack = stack_of(child.pid(), 0, 32768);
	check_complete(stack, "_start");
	CHECK(find(stack, "uv_run") != nullptr);
	check_against_oracle(stack, child.pid());
	CHECK(stack_of(child.pid(), 0, 4096).native_truncated);
	const process::ProcFs procfs;
	for (const process::ThreadEntry &thread : procfs.threads(child.pid())) {
		check_complete(stack_of(child.pid(), thread.tid, 32768), thread.tid == child.pid() ? "_start" : "clone3");
	}
}

TEST_CASE("Node, in execSync: through JavaScript frames down to _start") {
	for (const bool perf_map : {false, true}) {
		std::vector<std::string> command{"node", sources + "/app.js", "exec"};
		if (perf_map) {
			command.insert(command.begin() + 1, {"--perf-basic-prof", "--interpreted-frames-native-stack"});
		}
		Child child(command);
		REQUIRE(child.line() == "ready");
		stacks::Symbolizer symbolizer{process::ProcFs()};
		Stack stack;
		for (int i = 0;
		     i < 100 && find(stack, "node::SyncProcessRunner::Spawn(v8::FunctionCallbackInfo<v8::Value> const&)") == nullptr;
		     ++i) {
			usleep(100'000);
			stack = stack_of(symbolizer, child.pid(), 0, 65536);
		}
		check_complete(stack, "_start");
		CHECK(find(stack, "Builtins_JSEntry") != nullptr);
		check_against_oracle(stack, child.pid());
		if (!perf_map) {
			CHECK(stack.javascript.empty());
			continue;
		}
		const auto inner = std::find_if(stack.javascript.begin(), stack.javascript.end(),
		                                [](const SourceFrame &frame) { return frame.function == "inner"; });
		REQUIRE(inner != stack.javascript.end());
		CHECK(inner->file == sources + "/app.js");
		CHECK(inner->line.value_or(0) == 4);
		CHECK((inner + 1)->function == "middle");
		std::filesystem::remove(fmt::format("/tmp/perf-{}.map", child.pid()));
	}
}

TEST_CASE("a thread asleep in a signal handler: through the signal frame") {
	for (const bool own_stack : {false, true}) {
		std::vector<std::string> command{built + "/stacks_signalled"};
		if (own_stack) {
			command.emplace_back("own stack");
		}
		Child child(command);
		REQUIRE(child.line() == "ready");
		REQUIRE(child.sleeps_in(SYS_clock_nanosleep));
		auto raw = capture(child.pid());
		REQUIRE(raw);
		stacks::Symbolizer symbolizer{process::ProcFs()};
		if (own_stack) {
			// The copy is of the signal stack: the frames below the signal lie elsewhere, and can be had only live.
			const Stack cut = symbolizer.native_and_kernel(*raw);
			CHECK(find(cut, "in_handler") != nullptr);
			CHECK(cut.native_truncated);
			raw->from = StackFrom::live;
		}
		const Stack stack = symbolizer.native_and_kernel(*raw);
		check_complete(stack, "_start");
		CHECK(find(stack, "in_handler") != nullptr);
		CHECK(find(stack, "interrupted") != nullptr);
		CHECK(find(stack, "main") != nullptr);
		check_against_oracle(stack, child.pid());
	}
}

TEST_CASE("a plugin that is loaded later, and one that is deleted") {
	stacks::Symbolizer symbolizer{process::ProcFs()};
	{
		Child child({built + "/stacks_plugin_host", built + "/libstacks_plugin.so", "wait"});
		REQUIRE(child.line() == "ready");
		REQUIRE(child.sleeps_in(SYS_read));
		check_complete(stack_of(symbolizer, child.pid()), "_start");
		child.say("go\n");
		REQUIRE(child.line() == "loaded");
		REQUIRE(child.sleeps_in(SYS_clock_nanosleep));
		usleep(120'000); // maps are read again after 100 ms
		const Stack stack = stack_of(symbolizer, child.pid());
		check_complete(stack, "_start");
		CHECK(find(stack, "hidden_work") != nullptr);
		CHECK(find(stack, "hidden_work")->line == 7);
	}
	const std::string copy = fmt::format("/tmp/loopsnoop-plugin-{}.so", getpid());
	std::filesystem::copy_file(built + "/libstacks_plugin.so", copy);
	Child child({built + "/stacks_plugin_host", copy, "delete"});
	REQUIRE(child.line() == "ready");
	REQUIRE(child.line() == "loaded");
	REQUIRE(child.sleeps_in(SYS_clock_nanosleep));
	REQUIRE_FALSE(std::filesystem::exists(copy));
	const Stack stack = stack_of(symbolizer, child.pid());
	if (geteuid() != 0) {
		WARN("the file of a deleted mapping can be opened by root only: not checked");
		return;
	}
	check_complete(stack, "_start");
	REQUIRE(find(stack, "plugin_work") != nullptr);
	CHECK(find(stack, "plugin_work")->module == copy);
}

TEST_CASE("code without call-frame information is walked by frame pointers") {
	Child child({built + "/stacks_bare"});
	REQUIRE(child.line() == "ready");
	REQUIRE(child.sleeps_in(SYS_clock_nanosleep));
	const Stack stack = stack_of(child.pid());
	check_complete(stack, "_start");
	CHECK(find(stack, "sleeps") != nullptr);
	CHECK(find(stack, "bare_call") != nullptr);
	CHECK(find(stack, "main") != nullptr);
}

TEST_CASE("a thread inside the vdso") {
	Child child({built + "/stacks_bare", "clock"});
	REQUIRE(child.line() == "ready");
	stacks::Symbolizer symbolizer{process::ProcFs()};
	bool seen = false;
	for (int i = 0; i < 300 && !seen; ++i) {
		const Stack stack = stack_of(symbolizer, child.pid());
		check_complete(stack, "_start");
		seen = stack.native.front().module == "[vdso]" && stack.native.front().function.value_or("").ends_with("clock_gettime");
		usleep(1000); // to let it run on: each snapshot stops it
	}
	CHECK(seen);
}

TEST_CASE("a stack that was cut says so") {
	Child child({built + "/stacks_pie"});
	REQUIRE(child.line() == "ready");
	REQUIRE(child.sleeps_in(SYS_clock_nanosleep));
	const auto whole = capture(child.pid());
	REQUIRE(whole);
	stacks::Symbolizer symbolizer{process::ProcFs()};
	const std::size_t complete = symbolizer.native_and_kernel(*whole).native.size();
	std::size_t last = 0;
	for (std::size_t bytes = 0; bytes < 1024; bytes += 8) {
		RawStack cut = *whole;
		cut.stack_bytes.resize(bytes);
		const Stack stack = symbolizer.native_and_kernel(cut);
		CHECK(stack.native.size() >= last);
		CHECK(stack.native_truncated == (stack.native.size() < complete));
		last = stack.native.size();
		// Live, what is missing is read from the thread, which still sleeps.
		cut.from = StackFrom::live;
		CHECK(symbolizer.native_and_kernel(cut).native.size() == complete);
	}
	CHECK(last == complete);
}

TEST_CASE("a program that a process becomes by exec is another one") {
	Child child({"sh", "-c", "echo first; read line; exec " + built + "/stacks_no_pie"});
	REQUIRE(child.line() == "first");
	REQUIRE(child.sleeps_in(SYS_read));
	stacks::Symbolizer symbolizer{process::ProcFs()};
	CHECK(stack_of(symbolizer, child.pid()).native.back().module != built + "/stacks_no_pie");
	child.say("\n");
	REQUIRE(child.line() == "ready");
	REQUIRE(child.sleeps_in(SYS_clock_nanosleep));
	symbolizer.exec(child.pid());
	check_complete(stack_of(symbolizer, child.pid()), "_start");
}

// Time that this thread has run, in nanoseconds: others' work on a busy machine is not in it.
std::uint64_t cpu_ns() {
	timespec now{};
	REQUIRE(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
	return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

TEST_CASE("a warm stack costs microseconds, and memory stays") {
	Child child({"/usr/bin/python3", sources + "/deep.py"});
	REQUIRE(child.line() == "ready");
	REQUIRE(child.sleeps_in(SYS_clock_nanosleep));
	const auto raw = capture(child.pid(), 0, 65536);
	REQUIRE(raw);
	stacks::Symbolizer symbolizer{process::ProcFs()};
	static_cast<void>(symbolizer.native_and_kernel(*raw));
	constexpr std::uint64_t rounds = 1000;
	[[maybe_unused]] const long before_kib = resident_kib();
	const std::uint64_t start_ns = cpu_ns();
	std::size_t frames = 0;
	for (std::uint64_t i = 0; i < rounds; ++i) {
		frames = symbolizer.native_and_kernel(*raw).native.size();
	}
	[[maybe_unused]] const std::uint64_t each_ns = (cpu_ns() - start_ns) / rounds;
	INFO(frames << " frames, " << each_ns << " ns a stack");
	CHECK(frames > 0);
#ifndef __SANITIZE_ADDRESS__    // which keeps what is freed for a while, and takes its time
	CHECK(each_ns < 1'000'000); // 20 us here
	CHECK(resident_kib() - before_kib < 4096);
#endif
}
