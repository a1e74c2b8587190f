// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "doctor/process.h"
#include "process/memory.h"
#include "runtimes/cpython/interpreter.h"
#include "runtimes/cpython/locate.h"
#include "runtimes/detect.h"
#include "runtimes/v8/frames.h"
#include "stacks/perf_map.h"

namespace loopsnoop::doctor {

namespace {

using runtimes::cpython::Interpreter;
using runtimes::cpython::VersionFrom;

constexpr std::string_view only_native = ": Python lines are missing, native stacks remain";

std::string_view how_sure(VersionFrom from) {
	switch (from) {
	case VersionFrom::runtime: return "it says so itself";
	case VersionFrom::symbol: return "by its symbol Py_Version";
	case VersionFrom::strings: return "by its constants";
	case VersionFrom::file_name: break;
	}
	return "by its file's name";
}

Check without_interpreter(const process::ProcFs &proc, std::uint32_t pid) {
	using runtimes::cpython::newest_minor;
	using runtimes::cpython::oldest_minor;
	const auto location = runtimes::cpython::locate(proc, pid, process::TargetMemory(pid));
	if (!location) {
		return {"python",
		        Health::warn,
		        "CPython, but its _PyRuntime is not found (older than 3.7, or stripped of its dynamic symbols)" +
		            std::string(only_native),
		        "run it on " + std::string(runtimes::cpython::supported_versions),
		        {}};
	}
	const std::string version = "CPython " + location->version.text();
	if (location->version.minor < oldest_minor || location->version.minor > newest_minor) {
		return {"python",
		        Health::warn,
		        version + " is not one that loopsnoop reads" + std::string(only_native),
		        "run it on " + std::string(runtimes::cpython::supported_versions),
		        {}};
	}
	return {"python",
	        Health::warn,
	        version + ", but no interpreter is there yet, or it is a debug or free-threaded build" + std::string(only_native),
	        "if it has only just started, ask again",
	        {}};
}

// A frame that was read in full: of the main thread where it runs Python code.
std::optional<SourceFrame> some_frame(Interpreter &interpreter, const std::vector<runtimes::cpython::ThreadState> &threads,
                                      std::uint32_t pid) {
	std::vector<std::uint64_t> states;
	if (const auto main = interpreter.thread_state(pid, 0)) {
		states.push_back(*main);
	}
	for (const auto &thread : threads) {
		states.push_back(thread.address);
	}
	for (const std::uint64_t state : states) {
		const auto refs = interpreter.frames(state);
		const auto frames = interpreter.resolve(refs);
		const auto named =
		    std::ranges::find_if(frames, [](const SourceFrame &frame) { return frame.line && frame.function != "?"; });
		if (named != frames.end()) {
			return *named;
		}
	}
	return std::nullopt;
}

Check check_python(const process::ProcFs &proc, std::uint32_t pid) {
	auto interpreter = Interpreter::find(proc, pid);
	if (!interpreter) {
		return without_interpreter(proc, pid);
	}
	const auto threads = interpreter->threads();
	Check check{"python",
	            Health::ok,
	            "CPython " + interpreter->version() + " (" + std::string(how_sure(interpreter->version_from())) + "), " +
	                std::to_string(threads.size()) + (threads.size() == 1 ? " Python thread" : " Python threads"),
	            {},
	            {}};
	if (const auto frame = some_frame(*interpreter, threads, pid)) {
		check.found += "; frames can be read: " + frame->function + " (" + frame->file + ":" + std::to_string(*frame->line) + ")";
	} else {
		check.found += "; no thread runs Python code right now";
	}
	return check;
}

Check check_node(const process::ProcFs &proc, std::uint32_t pid, const Runtime &runtime) {
	const std::string name = runtime.version ? "Node " + *runtime.version : "Node";
	if (runtimes::v8::Frames::find(proc, pid)) {
		return {"node", Health::ok, name + ": functions of JavaScript are named from its memory", {}, {}};
	}
	const auto status = proc.status(pid);
	const std::uint32_t own_pid = status ? status->nspids.back() : pid; // as Node itself sees it
	const std::string map = "/tmp/perf-" + std::to_string(own_pid) + ".map";
	auto file = foreign::File::open(proc.target_file(pid, map));
	if (!file) {
		return {"node", Health::warn,
		        name + ", whose V8 does not say how to be read, without " + map + ": functions of JavaScript have no names",
		        "start it with NODE_OPTIONS=--perf-basic-prof (or node --perf-basic-prof …)", file.error().describe()};
	}
	// As the symbolizer has it: /tmp is everyone's, names that another user put there are not believed.
	const std::uint32_t owner = (*file)->status().owner;
	struct stat process {};
	if (stat(proc.path_of(pid, "").c_str(), &process) != 0 ||
	    (owner != 0 && owner != process.st_uid && (!status || owner != status->uid))) {
		return {"node",
		        Health::warn,
		        name + ", but " + map + " belongs to another user and is not believed",
		        "remove it and start Node again",
		        {}};
	}
	stacks::PerfMap names;
	names.update(std::move(*file));
	if (names.size() == 0) {
		return {
		    "node", Health::warn, name + ", but " + map + " holds no names", "start it with NODE_OPTIONS=--perf-basic-prof", {}};
	}
	return {"node", Health::ok, name + ", JavaScript names from " + map + " (" + std::to_string(names.size()) + ")", {}, {}};
}

} // namespace

std::vector<Check> examine_runtime(const process::ProcFs &proc, std::uint32_t pid) {
	const Runtime runtime = runtimes::detect(proc, pid);
	switch (runtime.kind) {
	case RuntimeKind::cpython: return {check_python(proc, pid)};
	case RuntimeKind::node: return {check_node(proc, pid, runtime)};
	case RuntimeKind::native: break;
	}
	if (runtime.language == go_language) {
		return {Check{"runtime",
		              Health::warn,
		              "Go: its threads are no loops; those in calls that block are reported, goroutines that wait are not seen",
		              "for those: GOTRACEBACK=all and SIGQUIT, or net/http/pprof's /debug/pprof/goroutine?debug=2",
		              {}}};
	}
	if (!runtime.language.empty()) {
		return {Check{"runtime",
		              Health::warn,
		              runtime.language + ": loop, causes, resources and holders are reported, its own lines cannot be read",
		              {},
		              {}}};
	}
	return {Check{"runtime", Health::ok, "native code (no CPython or Node found in it)", {}, {}}};
}

} // namespace loopsnoop::doctor
