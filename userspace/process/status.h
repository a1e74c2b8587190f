// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loopsnoop::process {

// Of a process or, asked with a tid, of a thread. Together, tgid and start_time_ticks name a process for good.
struct ProcessStatus {
	std::string comm;       // any bytes, 15 at most (kernel threads: 63)
	char state = '?';       // R S D T t Z X I, as ps shows it
	std::uint32_t ppid = 0; // 0: parent outside our PID namespace, or none
	std::uint32_t tgid = 0;
	std::uint64_t start_time_ticks = 0; // after boot, in units of sysconf(_SC_CLK_TCK)
	std::vector<std::uint32_t> nspids;  // its pid in each PID namespace, ours first, its own last; never empty
	std::uint32_t uid = 0;              // real
	std::uint32_t threads = 0;
};

// From the text of /proc/PID/stat and /proc/PID/status. nullopt: cut short or not such a text.
[[nodiscard]] std::optional<ProcessStatus> parse_status(std::string_view stat, std::string_view status);

// /proc/PID/task/TID/syscall: what a thread is in, while it sleeps.
struct SyscallState {
	bool running = false;       // on a CPU: nothing else is known
	std::optional<long> number; // null: running, or asleep outside a system call (page fault, preempted, stopped)
	std::array<std::uint64_t, 6> args{};
	std::uint64_t sp = 0; // user stack pointer and instruction; 0 while running
	std::uint64_t pc = 0;
};
[[nodiscard]] std::optional<SyscallState> parse_syscall(std::string_view text);

} // namespace loopsnoop::process
