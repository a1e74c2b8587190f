// SPDX-License-Identifier: Apache-2.0
#include "process/procfs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/clock.h"
#include "process/deleted_path.h"
#include "process/pseudo_file.h"
#include "process/stand_in.h"
#include "process/text.h"

namespace loopsnoop::process {

namespace {

constexpr std::size_t short_file_bytes = 65536;
constexpr std::size_t cmdline_bytes = 262144;
// vm.max_map_count is 65530 unless raised, with usual paths 10 MiB. Of more, whoever maps files with names of 4 KiB loses the
// end.
constexpr std::size_t maps_bytes = 12582912;

// Empty: gone.
std::string read_name(const std::string &path) {
	auto text = read_pseudo_file(path, short_file_bytes);
	if (!text) {
		return {};
	}
	if (text->ends_with('\n')) {
		text->pop_back(); // the kernel's own; a newline of the name stays
	}
	return std::move(text).value();
}

} // namespace

std::string ProcFs::path_of(std::uint32_t pid, std::string_view name) const {
	// What a main thread that has ended has still; all else a living one is asked for. See stand_in.h.
	constexpr std::array<std::string_view, 5> of_zombies{"stat", "status", "comm", "task", "cgroup"};
	const bool stays = std::ranges::find(of_zombies, name.substr(0, name.find('/'))) != of_zombies.end();
	return fmt::format("{}/{}/{}", root_, stays ? pid : stand_in(root_, pid), name);
}

bool ProcFs::has_ended(std::uint32_t pid, const ProcessStatus &status) const {
	return (status.state == 'Z' || status.state == 'X') && !goes_on_without_main(root_, pid);
}

std::vector<std::uint32_t> ProcFs::pids() const {
	std::vector<std::uint32_t> all;
	each_number(root_, [&](std::uint32_t pid) {
		all.push_back(pid);
		return true;
	});
	std::sort(all.begin(), all.end());
	return all;
}

bool ProcFs::exists(std::uint32_t pid) const { return ::access(path_of(pid, "stat").c_str(), F_OK) == 0; }

Result<ProcessStatus> ProcFs::status(std::uint32_t pid) const {
	const std::string stat_path = path_of(pid, "stat");
	const auto stat = read_pseudo_file(stat_path, short_file_bytes);
	if (!stat) {
		return Error{"read the status of process " + std::to_string(pid), stat_path, stat.error().code, {}};
	}
	const auto status = read_pseudo_file(path_of(pid, "status"), short_file_bytes);
	if (!status) {
		return Error{"read the status of process " + std::to_string(pid), path_of(pid, "status"), status.error().code, {}};
	}
	auto parsed = parse_status(*stat, *status);
	if (!parsed) {
		return make_error("understand the status of process " + std::to_string(pid), stat_path);
	}
	return std::move(*parsed);
}

std::vector<ThreadEntry> ProcFs::threads(std::uint32_t pid) const {
	std::vector<ThreadEntry> all;
	each_number(path_of(pid, "task"), [&](std::uint32_t tid) {
		auto name = read_pseudo_file(path_of(pid, fmt::format("task/{}/comm", tid)), short_file_bytes);
		if (name) {
			if (name->ends_with('\n')) {
				name->pop_back();
			}
			all.push_back({tid, std::move(name).value()});
		}
		return true;
	});
	return all;
}

std::string ProcFs::comm(std::uint32_t pid) const { return read_name(path_of(pid, "comm")); }

std::string ProcFs::thread_name(std::uint32_t pid, std::uint32_t tid) const {
	return read_name(path_of(pid, fmt::format("task/{}/comm", tid)));
}

std::vector<std::uint32_t> ProcFs::children(std::uint32_t pid) const {
	std::vector<std::uint32_t> all;
	bool listed = false; // CONFIG_PROC_CHILDREN
	each_number(path_of(pid, "task"), [&](std::uint32_t tid) {
		const auto text = read_pseudo_file(path_of(pid, fmt::format("task/{}/children", tid)), maps_bytes);
		if (text) {
			listed = true;
			Words words(*text);
			for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
				if (const auto child = parse_number<std::uint32_t>(word)) {
					all.push_back(*child);
				}
			}
		}
		return true;
	});
	if (!listed) {
		for (const std::uint32_t candidate : pids()) {
			const auto found = status(candidate);
			if (found && found->ppid == pid) {
				all.push_back(candidate);
			}
		}
	}
	std::sort(all.begin(), all.end());
	return all;
}

std::optional<Executable> ProcFs::exe(std::uint32_t pid) const {
	auto link = read_link(path_of(pid, "exe"));
	if (!link) {
		return std::nullopt;
	}
	Executable out{std::move(*link), false};
	if (out.path.ends_with(deleted_suffix)) {
		// A program may really be called "x (deleted)": then the file of that name is the one that runs.
		const auto running = foreign::access().status(program_file(pid));
		const auto named = foreign::access().status(target_file(pid, out.path));
		const bool literal = running && named && running->inode == named->inode && running->device == named->device;
		if (!literal) {
			out.deleted = true;
			out.path.resize(out.path.size() - deleted_suffix.size());
		}
	}
	return out;
}

std::string ProcFs::known_path(std::uint32_t pid, const Executable &program) const {
	const std::string name = comm(pid);
	const std::size_t folder = program.path.rfind('/') + 1;
	// python3 says less than python3.11.
	if (name.empty() || name.find('/') != std::string::npos || std::string_view(program.path).substr(folder).starts_with(name)) {
		return program.path;
	}
	std::string other = program.path.substr(0, folder) + name;
	const auto named = foreign::access().status(target_file(pid, other));
	const auto running = foreign::access().status(program_file(pid));
	const bool same = named && running && running->device == named->device && running->inode == named->inode;
	return same ? other : program.path;
}

std::vector<std::string> ProcFs::cmdline(std::uint32_t pid) const {
	std::vector<std::string> arguments;
	const auto text = foreign::access().text(own_file(pid, "cmdline"), cmdline_bytes);
	if (!text) {
		return arguments;
	}
	std::string_view rest = *text;
	while (rest.ends_with('\0')) {
		rest.remove_suffix(1);
	}
	while (!rest.empty()) {
		const std::size_t end = rest.find('\0');
		arguments.emplace_back(rest.substr(0, end));
		rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
	}
	return arguments;
}

namespace {

// The map of one process that took long to read: whoever begins to follow a process asks for it five times.
struct SlowMaps {
	std::string path;
	std::string memory; // memory_mark() before it was read
	std::uint64_t reusable_until_ns = 0;
	std::vector<Mapping> maps;
};
thread_local SlowMaps slow_maps;

// When the process began, how much it maps, and where its program's code and stack lie (proc(5), /proc/PID/stat 22, 23, 26 to
// 28): other numbers after an exec, in another process of that pid, and after most changes of the map. Empty: gone.
std::string memory_mark(std::string_view stat) {
	constexpr int third = 3; // the field that follows the name
	std::string mark;
	const std::size_t name_end = stat.rfind(')');
	Words words(name_end == std::string_view::npos ? std::string_view() : stat.substr(name_end + 1));
	int field = third;
	for (std::string_view word = words.next(); !word.empty(); word = words.next(), ++field) {
		if (field == 22 || field == 23 || (field >= 26 && field <= 28)) {
			mark.append(word).append(" ");
		}
	}
	return mark;
}

} // namespace

Result<std::vector<Mapping>> ProcFs::maps(std::uint32_t pid) const {
	constexpr std::uint64_t slow_ns = 20'000'000; // 5,000 mappings or so
	constexpr std::uint64_t reused_for = 5;       // times as long as it took
	const std::uint64_t began_ns = monotonic_ns();
	const std::string memory = memory_mark(read_pseudo_file(path_of(pid, "stat"), short_file_bytes).to_optional().value_or(""));
	if (began_ns >= slow_maps.reusable_until_ns) {
		slow_maps = {};
	} else if (slow_maps.path == path_of(pid, "maps") && slow_maps.memory == memory) {
		return slow_maps.maps;
	}
	const auto text = foreign::access().text(own_file(pid, "maps"), maps_bytes);
	if (!text) {
		return Error{"read the memory map of process " + std::to_string(pid), path_of(pid, "maps"), text.error().code,
		             text.error().advice};
	}
	auto maps = parse_maps(*text);
	if (const std::uint64_t took_ns = monotonic_ns() - began_ns; took_ns >= slow_ns && !memory.empty()) {
		slow_maps = {path_of(pid, "maps"), memory, monotonic_ns() + reused_for * took_ns, maps};
	}
	return maps;
}

foreign::FileName ProcFs::own_file(std::uint32_t pid, std::string_view name) const {
	foreign::FileName file;
	file.pid = pid;
	file.path = path_of(pid, name);
	return file;
}

foreign::FileName ProcFs::target_file(std::uint32_t pid, const std::string &path) const {
	foreign::FileName file;
	file.pid = pid;
	file.root = path_of(pid, "root");
	file.mountinfo = path_of(pid, "mountinfo");
	file.path = path;
	if (!path.starts_with('/')) {
		const auto folder = read_link(path_of(pid, "cwd")); // as the target sees it, as long as it has not moved above its root
		file.path = folder ? *folder + "/" + path : std::string();
	}
	return file;
}

foreign::FileName ProcFs::mapped_file(std::uint32_t pid, const Mapping &mapping) const {
	foreign::FileName file = own_file(pid, fmt::format("map_files/{:x}-{:x}", mapping.start, mapping.end));
	file.mountinfo = path_of(pid, "mountinfo");
	file.shown = mapping.path;
	return file;
}

foreign::FileName ProcFs::program_file(std::uint32_t pid) const {
	foreign::FileName file = own_file(pid, "exe");
	file.mountinfo = path_of(pid, "mountinfo");
	file.shown = read_link(file.path).value_or(std::string());
	return file;
}

std::optional<FileIdentity> ProcFs::identify(std::uint32_t pid, std::string_view name) const {
	foreign::FileName file = own_file(pid, name);
	file.mountinfo = path_of(pid, "mountinfo");
	file.shown = read_link(file.path).value_or(std::string());
	const auto status = foreign::access().status(file);
	if (!status) {
		return std::nullopt;
	}
	return FileIdentity{status->mode, status->inode, status->device, status->links};
}

std::optional<std::uint64_t> ProcFs::ns_inode(std::uint32_t pid, std::string_view kind) const {
	const auto link = read_link(path_of(pid, fmt::format("ns/{}", kind)));
	return link ? number_in_brackets<std::uint64_t>(*link, fmt::format("{}:[", kind)) : std::nullopt;
}

std::optional<bool> ProcFs::same_namespace(std::uint32_t pid, std::uint32_t other, std::string_view kind) const {
	const auto one = ns_inode(pid, kind);
	const auto two = ns_inode(other, kind);
	if (!one || !two) {
		return std::nullopt;
	}
	return *one == *two;
}

std::vector<Cgroup> ProcFs::cgroups(std::uint32_t pid) const {
	std::vector<Cgroup> all;
	const auto text = read_pseudo_file(path_of(pid, "cgroup"), short_file_bytes);
	if (!text) {
		return all;
	}
	std::string_view rest = *text;
	while (const auto line = take_line(rest)) { // "4:cpu,cpuacct:/path": the path may hold colons
		const std::size_t first = line->find(':');
		const std::size_t second = first == std::string_view::npos ? first : line->find(':', first + 1);
		if (second != std::string_view::npos && parse_number<std::uint32_t>(line->substr(0, first))) {
			all.push_back({std::string(line->substr(first + 1, second - first - 1)), std::string(line->substr(second + 1))});
		}
	}
	return all;
}

std::optional<std::string> ProcFs::wait_channel(std::uint32_t pid, std::uint32_t tid) const {
	auto name = read_name(path_of(pid, fmt::format("task/{}/wchan", tid)));
	if (name.empty() || name == "0") {
		return std::nullopt;
	}
	return name;
}

std::optional<SyscallState> ProcFs::syscall(std::uint32_t pid, std::uint32_t tid) const {
	const auto text = read_pseudo_file(path_of(pid, fmt::format("task/{}/syscall", tid)), short_file_bytes);
	return text ? parse_syscall(*text) : std::nullopt;
}

} // namespace loopsnoop::process
