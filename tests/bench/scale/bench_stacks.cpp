// SPDX-License-Identifier: Apache-2.0
// bench_stacks PID TIMES: how long it takes to unwind the stack of that process's main thread, which must be asleep, and to give
// its frames their names: the first time, and then, when all files and tables are at hand. One line of JSON, times in us.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "collector/collector.h"
#include "inspect/children.h"
#include "inspect/inspector.h"
#include "inspect/programs.h"
#include "inspect/resolver.h"
#include "process/procfs.h"

using namespace loopsnoop;

namespace {

constexpr std::uint32_t stack_bytes = 65536;

double us_of(auto &&work) {
	const std::uint64_t start = monotonic_ns();
	work();
	return static_cast<double>(monotonic_ns() - start) / 1000;
}

int fail(std::string_view why) {
	fmt::print(stderr, "bench: {}\n", why);
	return 1;
}

} // namespace

int main(int argc, char *argv[]) {
	const auto pid = static_cast<std::uint32_t>(argc == 3 ? std::strtol(argv[1], nullptr, 10) : 0);
	const long times = argc == 3 ? std::strtol(argv[2], nullptr, 10) : 0;
	if (pid == 0 || times < 1) {
		return fail("usage: bench_stacks PID TIMES");
	}
	const process::ProcFs proc;
	collector::CollectorOptions options;
	options.snapshots_only = true;
	auto started = collector::Collector::start(options);
	if (!started) {
		return fail(started.error().describe());
	}
	if (auto followed = (*started)->followed().follow({pid, false, std::nullopt}); !followed) {
		return fail(followed.error().describe());
	}
	inspect::Programs programs(proc);
	inspect::Children children(proc);
	inspect::Resolver resolver(proc, programs, children);
	inspect::Inspector inspector(**started, proc, programs, resolver, stack_bytes);
	auto snapshots = inspector.snapshot(pid);
	const auto main =
	    std::find_if(snapshots.begin(), snapshots.end(), [&](const ThreadSnapshot &snapshot) { return snapshot.tid == pid; });
	if (main == snapshots.end() || main->running || !main->stack.have_registers) {
		return fail("the main thread is not asleep");
	}
	// As of a wait that is over: the bytes were copied, nothing is read from the stack any more.
	inspector.read_stack(*main);
	RawStack raw = main->stack;
	raw.from = StackFrom::captured;
	Stack stack;
	const double first_us = us_of([&] { stack = resolver.stack(raw); });
	std::vector<double> warm_us;
	warm_us.reserve(static_cast<std::size_t>(times));
	for (long i = 0; i < times; i++) {
		warm_us.push_back(us_of([&] { stack = resolver.stack(raw); }));
	}
	std::sort(warm_us.begin(), warm_us.end());
	const nlohmann::json measured{{"first_us", first_us},
	                              {"warm_us", warm_us[warm_us.size() / 2]},
	                              {"warm_p99_us", warm_us[warm_us.size() * 99 / 100]},
	                              {"native_frames", stack.native.size()},
	                              {"native_truncated", stack.native_truncated},
	                              {"python_frames", stack.python.size()},
	                              {"kernel_frames", stack.kernel.size()}};
	fmt::print("{}\n", measured.dump());
	return 0;
}
