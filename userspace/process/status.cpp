// SPDX-License-Identifier: Apache-2.0
#include "process/status.h"

#include "process/text.h"

namespace loopsnoop::process {

namespace {

// Field numbers as in proc(5); the comm in parentheses is the only field that may hold blanks, newlines and parentheses,
// and the last ')' of the text ends it.
bool parse_stat(std::string_view stat, ProcessStatus &out) {
	const std::size_t open = stat.find('(');
	const std::size_t close = stat.rfind(')');
	if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
		return false;
	}
	out.comm = stat.substr(open + 1, close - open - 1);
	std::string_view rest = stat.substr(close + 1);
	if (rest.ends_with('\n')) {
		rest.remove_suffix(1);
	}
	Words words(rest);
	const std::string_view state = words.next();                                       // 3
	const auto ppid = parse_number<std::uint32_t>(words.next());                       // 4
	const auto threads = parse_number<std::uint32_t>(words.skip_and_next(15));         // 20
	const auto start_time_ticks = parse_number<std::uint64_t>(words.skip_and_next(1)); // 22
	if (state.size() != 1 || !ppid || !threads || !start_time_ticks) {
		return false;
	}
	out.state = state.front();
	out.ppid = *ppid;
	out.threads = *threads;
	out.start_time_ticks = *start_time_ticks;
	return true;
}

} // namespace

std::optional<ProcessStatus> parse_status(std::string_view stat, std::string_view status) {
	ProcessStatus out;
	if (!parse_stat(stat, out)) {
		return std::nullopt;
	}
	std::optional<std::uint32_t> tgid;
	std::optional<std::uint32_t> uid;
	// The kernel escapes newlines in "Name:", so a line that begins with a key is that key's.
	while (const auto line = take_line(status)) {
		Words words(*line);
		const std::string_view key = words.next();
		if (key == "Tgid:") {
			tgid = parse_number<std::uint32_t>(words.next());
		} else if (key == "Uid:") {
			uid = parse_number<std::uint32_t>(words.next());
		} else if (key == "NSpid:") {
			out.nspids.clear();
			for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
				if (const auto pid = parse_number<std::uint32_t>(word)) {
					out.nspids.push_back(*pid);
				}
			}
		}
	}
	if (!tgid || !uid || out.nspids.empty()) {
		return std::nullopt;
	}
	out.tgid = *tgid;
	out.uid = *uid;
	return out;
}

// "running", "-1 SP PC", or "NR ARG0 … ARG5 SP PC" (fs/proc/base.c, proc_pid_syscall).
std::optional<SyscallState> parse_syscall(std::string_view text) {
	if (text.ends_with('\n')) {
		text.remove_suffix(1);
	}
	SyscallState out;
	if (text == "running") {
		out.running = true;
		return out;
	}
	const auto hexadecimal = [](std::string_view word) -> std::optional<std::uint64_t> {
		if (!word.starts_with("0x")) {
			return std::nullopt;
		}
		return parse_number<std::uint64_t>(word.substr(2), 16);
	};
	Words words(text);
	const auto number = parse_number<long>(words.next());
	if (!number) {
		return std::nullopt;
	}
	if (*number >= 0) {
		out.number = *number;
		for (std::uint64_t &arg : out.args) {
			const auto value = hexadecimal(words.next());
			if (!value) {
				return std::nullopt;
			}
			arg = *value;
		}
	}
	const auto sp = hexadecimal(words.next());
	const auto pc = hexadecimal(words.next());
	if (!sp || !pc) {
		return std::nullopt;
	}
	out.sp = *sp;
	out.pc = *pc;
	return out;
}

} // namespace loopsnoop::process
