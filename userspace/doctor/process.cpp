// SPDX-License-Identifier: Apache-2.0
#include "doctor/process.h"

#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "process/memory.h"
#include "process/target_check.h"
#include "runtimes/detect.h"

namespace loopsnoop::doctor {

namespace {

constexpr std::size_t longest_command = 80;

std::string_view name_of_state(char state) {
	switch (state) {
	case 'R': return "running";
	case 'D': return "in uninterruptible sleep";
	case 'T': return "stopped";
	case 't': return "stopped by a debugger";
	default: return "sleeping";
	}
}

std::string command_line(const process::ProcFs &proc, std::uint32_t pid) {
	std::string line;
	for (const std::string &argument : proc.cmdline(pid)) {
		line += (line.empty() ? "" : " ") + argument;
		if (line.size() > longest_command) {
			line.resize(longest_command);
			return line + "…";
		}
	}
	return line;
}

// nullopt: all the same, or not known.
std::optional<Check> check_namespaces(const process::ProcFs &proc, std::uint32_t pid) {
	const auto ours = static_cast<std::uint32_t>(getpid());
	std::string others;
	for (const std::string_view kind : {"pid", "mnt", "net", "user"}) {
		if (proc.same_namespace(pid, ours, kind) == false) {
			others += (others.empty() ? "" : ", ") + std::string(kind);
		}
	}
	if (others.empty()) {
		return std::nullopt;
	}
	return Check{"namespaces",
	             Health::ok,
	             "in other namespaces (" + others + "): fine, pids, paths and sockets are looked up there",
	             {},
	             {}};
}

// What process_vm_readv() gives of the first page that the process can read itself.
Check check_memory(const process::ProcFs &proc, std::uint32_t pid) {
	const std::string what = ": stalls are shown without Python frames, symbols and the program's names";
	const std::string advice = "run it as root, or add CAP_SYS_PTRACE";
	const auto maps = proc.maps(pid);
	if (!maps || maps->empty()) {
		return {"memory", Health::warn, "its memory map cannot be read" + what, advice,
		        maps ? std::string("empty") : maps.error().describe()};
	}
	const auto readable = std::ranges::find_if(*maps, &process::Mapping::readable);
	const process::TargetMemory memory(pid);
	if (readable == maps->end() || !memory.read_value<std::uint64_t>(readable->start)) {
		return {"memory",
		        Health::warn,
		        "its memory cannot be read" + what,
		        advice + "; a container's seccomp profile may forbid process_vm_readv, too",
		        {}};
	}
	return {"memory", Health::ok, "its memory can be read", {}, {}};
}

} // namespace

Check describe_process(const process::ProcFs &proc, std::uint32_t pid, const process::ProcessStatus &status) {
	Check check{"process", Health::ok, "pid " + std::to_string(pid) + " (" + status.comm + ")", {}, {}};
	if (const std::string command = command_line(proc, pid); !command.empty()) {
		check.found += ": " + command;
	}
	check.found += ", " + std::to_string(status.threads) + (status.threads == 1 ? " thread, " : " threads, ");
	check.found += name_of_state(status.state);
	if (status.state == 'T' || status.state == 't') {
		check.health = Health::warn;
		check.found += ": until it goes on, there is one stall to report, that it is stopped";
		check.advice = status.state == 'T' ? "kill -CONT " + std::to_string(pid) : "detach the debugger";
	}
	return check;
}

std::vector<Check> examine_process(const process::ProcFs &proc, std::uint32_t pid) {
	const auto status = process::check_target(proc, pid);
	if (!status) {
		return {Check{"process", Health::fail, status.error().describe(), {}, {}}};
	}
	std::vector<Check> checks{describe_process(proc, pid, *status)};
	if (auto namespaces = check_namespaces(proc, pid)) {
		checks.push_back(std::move(*namespaces));
	}
	checks.push_back(check_memory(proc, pid));
	if (checks.back().health != Health::ok) {
		return checks; // the rest is read from there
	}
	const bool native = runtimes::detect(proc, pid).kind == RuntimeKind::native;
	for (const auto &more : {examine_runtime(proc, pid), examine_files(proc, pid, native)}) {
		checks.insert(checks.end(), more.begin(), more.end());
	}
	return checks;
}

} // namespace loopsnoop::doctor
