// SPDX-License-Identifier: Apache-2.0
// For developers: prints the native stacks of a process that may be ptraced, as loopsnoop unwinds them, and what that costs.
//   print_stack PID [STACK_BYTES]
#include <fmt/format.h>

#include <cstdlib>

#include "base/clock.h"
#include "capture.h"
#include "process/procfs.h"
#include "stacks/symbolizer.h"

using namespace loopsnoop;

int main(int argc, char **argv) {
	if (argc < 2) {
		fmt::print(stderr, "usage: print_stack PID [STACK_BYTES]\n");
		return 2;
	}
	const auto pid = static_cast<std::uint32_t>(std::strtoul(argv[1], nullptr, 10));
	const std::size_t bytes = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 16384;
	const process::ProcFs procfs;
	stacks::Symbolizer symbolizer(procfs);
	const long before_kib = test::resident_kib();
	for (const process::ThreadEntry &thread : procfs.threads(pid)) {
		const auto raw = test::capture(pid, thread.tid, bytes);
		if (!raw) {
			fmt::print("{} {}: cannot be captured\n", thread.tid, thread.name);
			continue;
		}
		const std::uint64_t start_ns = monotonic_ns();
		const Stack stack = symbolizer.native_and_kernel(*raw);
		const std::uint64_t cold_ns = monotonic_ns() - start_ns;
		constexpr std::uint64_t rounds = 200;
		const std::uint64_t warm_start_ns = monotonic_ns();
		for (std::uint64_t i = 0; i < rounds; ++i) {
			static_cast<void>(symbolizer.native_and_kernel(*raw));
		}
		fmt::print("{} {}: {} frames{}, cold {} us, warm {} us\n", thread.tid, thread.name, stack.native.size(),
		           stack.native_truncated ? ", truncated" : "", cold_ns / 1000, (monotonic_ns() - warm_start_ns) / rounds / 1000);
		for (const NativeFrame &frame : stack.native) {
			fmt::print("  {:#x} {} {} {}:{}\n", frame.offset, frame.function.value_or("-"), frame.module.value_or("-"),
			           frame.file.value_or("-"), frame.line.value_or(0));
		}
		for (const SourceFrame &frame : stack.javascript) {
			fmt::print("  js {} {}:{}\n", frame.function, frame.file, frame.line.value_or(0));
		}
	}
	fmt::print("resident: {} KiB, {} KiB before\n", test::resident_kib(), before_kib);
	return 0;
}
