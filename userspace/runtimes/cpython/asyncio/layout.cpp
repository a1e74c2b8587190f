// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/asyncio/layout.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "elf/work_limit.h"
#include "runtimes/cpython/locate.h"

namespace loopsnoop::runtimes::cpython::asyncio {

namespace {

bool is_sane(const DebugSection &section) {
	constexpr std::uint64_t max_task = 1024;
	constexpr std::uint64_t max_thread = 1U << 16U;
	constexpr std::uint64_t max_interpreter = 1U << 24U;
	const auto in_task = {section.task_name, section.task_awaited_by, section.task_is_task, section.task_coro, section.task_node};
	const auto in_thread = {section.thread_running_loop, section.thread_running_task, section.thread_tasks_head};
	return section.task_size < max_task && section.thread_size < max_thread && section.interpreter_size < max_interpreter &&
	       section.interpreter_tasks_head < section.interpreter_size &&
	       std::ranges::all_of(in_task, [&](std::uint64_t offset) { return offset >= 16 && offset < section.task_size; }) &&
	       std::ranges::all_of(in_thread, [&](std::uint64_t offset) { return offset > 0 && offset < section.thread_size; });
}

std::optional<DebugSection> section_of(const elf::Image &image, std::uint64_t bias, const process::Memory &memory) {
	const auto section = image.section(".AsyncioDebug");
	if (!section || section->bytes < sizeof(DebugSection)) {
		return std::nullopt;
	}
	const auto found = memory.read_value<DebugSection>(bias + section->address);
	return found && is_sane(*found) ? found : std::nullopt;
}

// Where it is likely: the extension module first, then the interpreter itself, then anything.
int rank(const process::Mapping &mapping) {
	const std::string_view name = file_name(mapping.path);
	if (name.starts_with("_asyncio.")) {
		return 0;
	}
	return is_libpython(mapping.path) || name.starts_with("python3") ? 1 : 2;
}

} // namespace

std::optional<DebugSection> find_debug_section(const process::ProcFs &proc, std::uint32_t pid, const process::Memory &memory,
                                               FilesWithout &without) {
	const elf::WorkLimit limit(pid);
	auto maps = proc.maps(pid);
	if (!maps) {
		return std::nullopt;
	}
	std::vector<process::Mapping> files;
	std::set<std::string_view> seen;
	for (const process::Mapping &mapping : *maps) {
		if (mapping.has_file() && !without.has(mapping) && seen.insert(mapping.path).second) {
			files.push_back(mapping);
		}
	}
	std::ranges::stable_sort(files, {}, rank);
	for (const process::Mapping &file : files) {
		const auto image = open_mapped(proc, pid, file);
		const auto bias = image ? image->load_bias(file) : std::nullopt;
		if (const auto found = bias ? section_of(*image, *bias, memory) : std::nullopt) {
			return found;
		}
		if (elf::WorkLimit::used_up()) {
			break;
		}
		without.add(file);
	}
	return std::nullopt;
}

std::optional<FutureLayout> future_layout(std::uint8_t minor, ObjectReader &reader, std::uint64_t task,
                                          const std::optional<DebugSection> &debug) {
	FutureLayout layout;
	// v3.9.2 to v3.12.1: `fut_state` 16 bytes before `dict`, which comes 8 later where there is an exception_tb; what a Task adds
	// follows 48 after it (3.9, 3.10) or 24 (3.11, 3.12). v3.13.0: a managed dict.
	const auto dict = static_cast<std::uint32_t>(
	    reader.word(reader.word(task + reader.offsets().object.type) + reader.offsets().type.dictoffset));
	switch (minor) {
	case 9:
	case 10:
	case 11:
	case 12:
		if (dict != 96 && dict != 104) {
			return std::nullopt;
		}
		layout.state = dict - 16;
		layout.waiter = dict + (minor <= 10 ? 48 : 24);
		layout.coro = layout.waiter + 8;
		layout.name = layout.waiter + 16;
		return layout;
	case 13:
		layout.state = 96;
		layout.waiter = 112;
		layout.coro = 120;
		layout.name = 128;
		return layout;
	case 14:
	case 15:
		if (!debug) {
			return std::nullopt;
		}
		layout.state = static_cast<std::uint32_t>(debug->task_is_task) - 4;
		layout.coro = static_cast<std::uint32_t>(debug->task_coro);
		layout.waiter = layout.coro - 8;
		layout.name = static_cast<std::uint32_t>(debug->task_name);
		layout.awaited_by = static_cast<std::uint32_t>(debug->task_awaited_by);
		return layout;
	default: return std::nullopt;
	}
}

} // namespace loopsnoop::runtimes::cpython::asyncio
