// SPDX-License-Identifier: Apache-2.0
#include "analysis/kernel_frames.h"

#include <algorithm>
#include <iterator>

#include "arch/cpu.h"

namespace loopsnoop::analysis {

bool is_interrupt_entry(const KernelFrame &frame) {
	if (!frame.function) {
		return false;
	}
	const std::string_view name = *frame.function;
	return std::ranges::any_of(arch::interrupt_prefixes, [&](std::string_view prefix) { return name.starts_with(prefix); }) ||
	       std::ranges::find(arch::interrupt_entries, name) != std::end(arch::interrupt_entries) || name == "cpu_startup_entry" ||
	       name == "run_ksoftirqd";
}

void leave_out_interrupts(std::vector<KernelFrame> &kernel) {
	const auto outermost = std::find_if(kernel.rbegin(), kernel.rend(), is_interrupt_entry);
	kernel.erase(kernel.begin(), outermost.base());
}

std::string_view system_call_of(const std::vector<KernelFrame> &kernel) {
	std::string_view call;
	for (const KernelFrame &frame : kernel) {
		// Some calls are one tail call of a function of their name.
		for (const std::string_view prefix : {arch::syscall_prefix, std::string_view("ksys_")}) {
			if (frame.function && frame.function->starts_with(prefix)) {
				call = std::string_view(*frame.function).substr(prefix.size()); // the outermost is the last
			}
		}
	}
	return call;
}

} // namespace loopsnoop::analysis
