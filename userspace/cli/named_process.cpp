// SPDX-License-Identifier: Apache-2.0
#include "cli/named_process.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "discovery/requests.h"
#include "process/process_name.h"

namespace loopsnoop::cli {

Result<std::uint32_t> pid_of(const ProcessChoice &process, const process::ProcFs &proc) {
	if (process.pid) {
		return *process.pid;
	}
	const auto pids = discovery::pids_named(process.name, proc);
	if (!pids) {
		return pids.error();
	}
	if (pids->size() == 1) {
		return pids->front();
	}
	constexpr std::size_t max_named = 8;
	std::string names;
	for (std::size_t i = 0; i < std::min(pids->size(), max_named); i++) {
		const std::uint32_t pid = pids->at(i);
		names += fmt::format("{}{} {}", i == 0 ? "" : ", ", pid, process::name_of(process::program_facts(proc, pid)).service);
	}
	return make_error(
	    "tell which process is meant by", process.name,
	    fmt::format("{} go by that name: {}{}; give one as -p PID", pids->size(), names, pids->size() > max_named ? ", …" : ""));
}

} // namespace loopsnoop::cli
