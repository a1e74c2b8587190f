// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "model/capture.h"
#include "model/stack.h"
#include "process/pid_identity.h"
#include "process/procfs.h"
#include "stacks/address_space.h"
#include "stacks/kernel_symbols.h"
#include "stacks/module_cache.h"
#include "stacks/perf_map.h"
#include "stacks/unwinder.h"

namespace loopsnoop::stacks {

// Turns numbers and bytes into frames with names, of followed processes and of whoever woke them or is their other end: whose pid
// is another's by now is known anew. One thread calls. Its memory is bounded: 32 processes, 96 files, and bytes over all of them:
// 8 MiB of tables, 32 MiB unpacked, 16 MiB of addresses known, 8 MiB of perf maps. What a stack may cost: elf::WorkLimit.
class Symbolizer {
public:
	explicit Symbolizer(process::ProcFs procfs, std::string kallsyms_path = "/proc/kallsyms")
	    : procfs_(std::move(procfs)), kernel_(std::move(kallsyms_path)) {}

	// Fills native, native_truncated, kernel, and javascript (from perf maps); python is left empty. Words that the copy does not
	// hold are read from the target when the stack was read live.
	[[nodiscard]] Stack native_and_kernel(const RawStack &raw);
	// The same, with the frame pointer of each native frame (0: not known, or inlined), for who can read more from there.
	[[nodiscard]] Stack native_and_kernel(const RawStack &raw, std::vector<std::uint64_t> &frame_pointers);
	[[nodiscard]] KernelSymbols &kernel_symbols() { return kernel_; }

	// How many stacks were left without some of their names because these cost too much to read.
	[[nodiscard]] std::uint64_t over_budget() const { return over_budget_; }

	// The process is gone: to be called after its last stacks.
	void forget(std::uint32_t pid) { processes_.erase(pid); }
	// The process runs another program now: what was known of its memory does not hold any more.
	void exec(std::uint32_t pid) { processes_.erase(pid); }

private:
	struct Process {
		Process(const process::ProcFs &procfs, ModuleCache &modules, std::uint32_t pid) : space(procfs, modules, pid) {}
		AddressSpace space;
		PerfMap perf_map;
		std::uint64_t perf_map_checked_ns = 0;
		process::PidIdentity identity;
		std::uint64_t last_used = 0;
	};

	[[nodiscard]] Process &process_of(std::uint32_t pid);
	// Innermost first: what was inlined at that place, then the function itself.
	[[nodiscard]] std::vector<NativeFrame> native_frames(Process &process, std::uint32_t pid, const UnwoundFrame &frame);
	void check_perf_map(Process &process, std::uint32_t pid);
	void bound_perf_maps(const Process &spared);

	process::ProcFs procfs_;
	ModuleCache modules_;
	KernelSymbols kernel_;
	std::map<std::uint32_t, std::unique_ptr<Process>> processes_;
	std::uint64_t stack_number_ = 0;
	std::uint64_t over_budget_ = 0;
};

} // namespace loopsnoop::stacks
