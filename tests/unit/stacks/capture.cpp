// SPDX-License-Identifier: Apache-2.0
#include "capture.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <span>
#include <thread>

#include "process/memory.h"

namespace loopsnoop::test {

Child::Child(const std::vector<std::string> &argv) {
	std::array<int, 2> in{};
	std::array<int, 2> out{};
	if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0) {
		return;
	}
	std::vector<char *> arguments;
	for (const std::string &argument : argv) {
		arguments.push_back(const_cast<char *>(argument.c_str())); // NOLINT(cppcoreguidelines-pro-type-const-cast)
	}
	arguments.push_back(nullptr);
	pid_ = fork();
	if (pid_ == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], 0);
		dup2(out[1], 1);
		execvp(arguments[0], arguments.data());
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	input_ = in[1];
	output_ = out[0];
}

Child::~Child() {
	if (pid_ > 0) {
		kill(pid_, SIGKILL);
		waitpid(pid_, nullptr, 0);
	}
	close(input_);
	close(output_);
}

std::string Child::line() {
	for (;;) {
		if (const std::size_t newline = buffer_.find('\n'); newline != std::string::npos) {
			std::string first = buffer_.substr(0, newline);
			buffer_.erase(0, newline + 1);
			return first;
		}
		pollfd ready{output_, POLLIN, 0};
		std::array<char, 4096> piece{};
		const ssize_t got = ::poll(&ready, 1, 20'000) == 1 ? read(output_, piece.data(), piece.size()) : 0;
		if (got <= 0) {
			return {};
		}
		buffer_.append(piece.data(), static_cast<std::size_t>(got));
	}
}

void Child::say(const std::string &text) const { static_cast<void>(write(input_, text.data(), text.size()) == 0); }

bool Child::sleeps_in(long syscall, std::uint32_t tid) const {
	const std::string path = "/proc/" + std::to_string(pid_) + "/task/" + std::to_string(tid == 0 ? pid() : tid) + "/syscall";
	for (int i = 0; i < 1000; ++i) {
		std::ifstream file(path);
		long number = -1;
		if (file >> number && number == syscall) {
			return true;
		}
		std::this_thread::sleep_for(std::chrono::milliseconds(10));
	}
	return false;
}

std::optional<RawStack> capture(std::uint32_t pid, std::uint32_t tid, std::size_t bytes) {
	const auto thread = static_cast<pid_t>(tid == 0 ? pid : tid);
	if (ptrace(PTRACE_SEIZE, thread, 0, 0) != 0) {
		return std::nullopt;
	}
	int status = 0;
	user_regs_struct regs{};
	const bool stopped = ptrace(PTRACE_INTERRUPT, thread, 0, 0) == 0 && waitpid(thread, &status, __WALL) == thread &&
	                     WIFSTOPPED(status) && ptrace(PTRACE_GETREGS, thread, 0, &regs) == 0;
	RawStack raw;
	raw.pid = pid;
	raw.tid = static_cast<std::uint32_t>(thread);
	raw.have_registers = true;
	raw.registers.r = {regs.rax, regs.rdx, regs.rcx, regs.rbx, regs.rsi, regs.rdi, regs.rbp, regs.rsp, regs.r8,
	                   regs.r9,  regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15, regs.rip};
	raw.from = StackFrom::captured;
	raw.stack_address = regs.rsp;
	raw.stack_bytes.resize(bytes);
	raw.stack_bytes.resize(process::TargetMemory(pid).read_some(regs.rsp, std::as_writable_bytes(std::span(raw.stack_bytes))));
	ptrace(PTRACE_DETACH, thread, 0, 0);
	return stopped ? std::optional(raw) : std::nullopt;
}

long resident_kib() {
	std::ifstream file("/proc/self/statm");
	long total = 0;
	long resident = 0;
	file >> total >> resident;
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

} // namespace loopsnoop::test
