// SPDX-License-Identifier: Apache-2.0
#include "stacks/symbolizer.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/clock.h"
#include "elf/work_limit.h"
#include "process/memory.h"
#include "stacks/javascript_name.h"

namespace loopsnoop::stacks {
namespace {

constexpr std::size_t max_processes = 32;
constexpr std::uint64_t perf_map_interval_ns = 100'000'000;
constexpr std::size_t max_perf_map_bytes = 8ULL * 1024 * 1024; // one of a quarter million names has 6

} // namespace

Stack Symbolizer::native_and_kernel(const RawStack &raw) {
	std::vector<std::uint64_t> frame_pointers;
	return native_and_kernel(raw, frame_pointers);
}

Stack Symbolizer::native_and_kernel(const RawStack &raw, std::vector<std::uint64_t> &frame_pointers) {
	Stack stack;
	for (const std::uint64_t address : raw.kernel) {
		stack.kernel.push_back(kernel_.find(address));
	}
	if (!raw.have_registers) {
		return stack;
	}
	const elf::WorkLimit limit(raw.pid);
	Process &process = process_of(raw.pid);
	const process::TargetMemory memory(raw.pid);
	const UnwoundStack unwound = unwind(process.space, raw, raw.from == StackFrom::live ? &memory : nullptr);
	stack.native_truncated = unwound.truncated;
	for (const UnwoundFrame &frame : unwound.frames) {
		for (NativeFrame &native : native_frames(process, raw.pid, frame)) {
			stack.native.push_back(std::move(native));
			frame_pointers.push_back(0);
		}
		frame_pointers.back() = frame.frame_pointer;
		if (stack.native.back().function && !stack.native.back().module) {
			if (auto javascript = javascript_frame(*stack.native.back().function)) {
				stack.javascript.push_back(std::move(*javascript));
			}
		}
	}
	over_budget_ += elf::WorkLimit::hit() ? 1 : 0;
	modules_.finish_stack();
	return stack;
}

Symbolizer::Process &Symbolizer::process_of(std::uint32_t pid) {
	auto known = processes_.find(pid);
	if (known != processes_.end() && known->second->identity.is_another(procfs_, pid)) {
		processes_.erase(known);
		known = processes_.end();
	}
	if (known == processes_.end()) {
		if (processes_.size() >= max_processes) {
			processes_.erase(std::min_element(processes_.begin(), processes_.end(), [](const auto &a, const auto &b) {
				return a.second->last_used < b.second->last_used;
			}));
		}
		known = processes_.emplace(pid, std::make_unique<Process>(procfs_, modules_, pid)).first;
		(void)known->second->identity.is_another(procfs_, pid);
	}
	known->second->last_used = ++stack_number_;
	return *known->second;
}

std::vector<NativeFrame> Symbolizer::native_frames(Process &process, std::uint32_t pid, const UnwoundFrame &frame) {
	NativeFrame native;
	native.offset = frame.instruction;
	CodeRegion *const region = process.space.find(frame.instruction);
	const CodeLocation location = region == nullptr ? CodeLocation{} : process.space.locate(*region, frame.instruction);
	if (region != nullptr && location.module) {
		std::vector<NativeFrame> frames;
		for (const Place &place : location.module->places(location.address, process.space.debug_search(*region))) {
			frames.push_back({place.function, region->shown(), location.address, place.file, place.line});
		}
		modules_.bound(*location.module);
		return frames;
	}
	if (region != nullptr && region->mapping.has_file() && !region->mapping.path.starts_with("/memfd:")) {
		native.module = region->shown();
		native.offset = frame.instruction - region->mapping.start + region->mapping.offset;
		return {native};
	}
	check_perf_map(process, pid);
	native.function = process.perf_map.find(frame.instruction);
	return {native};
}

void Symbolizer::check_perf_map(Process &process, std::uint32_t pid) {
	const std::uint64_t now = monotonic_ns();
	if (process.perf_map_checked_ns != 0 && now - process.perf_map_checked_ns < perf_map_interval_ns) {
		return;
	}
	process.perf_map_checked_ns = now;
	const auto status = procfs_.status(pid);
	if (!status || status->nspids.empty()) {
		return;
	}
	auto file = foreign::File::open(procfs_.target_file(pid, "/tmp/perf-" + std::to_string(status->nspids.back()) + ".map"));
	struct stat process_folder {}; // of /proc/PID: the effective user; no file system but /proc is asked
	if (!file || stat(procfs_.path_of(pid, "").c_str(), &process_folder) != 0) {
		return;
	}
	// /tmp is everyone's: names that another user put there are not believed.
	const std::uint32_t owner = (*file)->status().owner;
	if (owner == 0 || owner == process_folder.st_uid || owner == status->uid) {
		process.perf_map.update(std::move(*file));
		bound_perf_maps(process);
	}
}

void Symbolizer::bound_perf_maps(const Process &spared) {
	std::size_t sum = 0;
	for (const auto &[pid, process] : processes_) {
		sum += process->perf_map.bytes();
	}
	for (auto &[pid, process] : processes_) {
		if (sum > max_perf_map_bytes && process.get() != &spared) {
			sum -= process->perf_map.bytes();
			process->perf_map = PerfMap();
		}
	}
}

} // namespace loopsnoop::stacks
