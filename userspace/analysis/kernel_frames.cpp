// SPDX-License-Identifier: Apache-2.0
#include "analysis/kernel_frames.h"

#include <algorithm>

namespace loopsnoop::analysis {

bool is_interrupt_entry(const KernelFrame &frame) {
	if (!frame.function) {
		return false;
	}
	const std::string_view name = *frame.function;
	return name.starts_with("asm_sysvec_") || name.starts_with("sysvec_") || name == "asm_common_interrupt" ||
	       name == "common_interrupt" || name == "asm_exc_nmi" || name == "cpu_startup_entry" || name == "run_ksoftirqd";
}

void leave_out_interrupts(std::vector<KernelFrame> &kernel) {
	const auto outermost = std::find_if(kernel.rbegin(), kernel.rend(), is_interrupt_entry);
	kernel.erase(kernel.begin(), outermost.base());
}

std::string_view system_call_of(const std::vector<KernelFrame> &kernel) {
	std::string_view call;
	for (const KernelFrame &frame : kernel) {
		for (const std::string_view prefix :
		     {"__x64_sys_", "ksys_"}) { // some calls are one tail call of a function of their name
			if (frame.function && frame.function->starts_with(prefix)) {
				call = std::string_view(*frame.function).substr(prefix.size()); // the outermost is the last
			}
		}
	}
	return call;
}

} // namespace loopsnoop::analysis
