// SPDX-License-Identifier: Apache-2.0
#include "process/target_check.h"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "process/pseudo_file.h"
#include "process/text.h"

namespace loopsnoop::process {

namespace {

// Not by /proc/PID/exe, which not everybody may read. Field 9 of /proc/PID/stat, proc(5); PF_KTHREAD of include/linux/sched.h.
bool is_kernel_thread(const ProcFs &proc, std::uint32_t pid) {
	constexpr std::size_t longest_stat = 4096;
	constexpr std::uint32_t kernel_thread_flag = 0x00200000;
	constexpr int words_before_flags = 6;
	const auto text = read_pseudo_file(proc.path_of(pid, "stat"), longest_stat);
	const std::size_t end_of_name = text ? text->rfind(')') : std::string::npos;
	if (end_of_name == std::string::npos) {
		return false;
	}
	Words words(std::string_view(*text).substr(end_of_name + 1));
	const auto flags = parse_number<std::uint32_t>(words.skip_and_next(words_before_flags));
	return flags && (*flags & kernel_thread_flag) != 0;
}

} // namespace

Result<ProcessStatus> check_target(const ProcFs &proc, std::uint32_t pid, const std::string &doing) {
	const std::string name = "pid " + std::to_string(pid);
	auto status = proc.status(pid);
	if (!status) {
		return Error{doing, name, ESRCH, "check it with: ps -p " + std::to_string(pid)};
	}
	if (status->tgid != pid) {
		return make_error(doing, name,
		                  "it is a thread of process " + std::to_string(status->tgid) + ": use -p " +
		                      std::to_string(status->tgid) + (doing == "follow" ? " -t " + std::to_string(pid) : ""));
	}
	if (proc.has_ended(pid, *status)) {
		return make_error(doing, name, "it has ended already and only waits to be reaped by its parent");
	}
	if (is_kernel_thread(proc, pid) || (!proc.exe(pid) && geteuid() == 0)) {
		return make_error(doing, name, "it is a kernel thread or has just ended; kernel threads have no event loop");
	}
	if (pid == static_cast<std::uint32_t>(getpid())) {
		return make_error(doing, name, "that is loopsnoop itself");
	}
	return status;
}

} // namespace loopsnoop::process
