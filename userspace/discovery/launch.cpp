// SPDX-License-Identifier: Apache-2.0
#include "discovery/launch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

namespace loopsnoop::discovery {

namespace {

constexpr int patience_ms = 500; // a shell begins within a few

// The command inherits nothing that is closed on exec() anyway; but one that hangs in exec() would keep it: a helper's socket,
// whose end would never come, and the BPF programs.
void close_all_but(int one, int other) {
	constexpr unsigned first = 3;
	const auto low = static_cast<unsigned>(std::min(one, other));
	const auto high = static_cast<unsigned>(std::max(one, other));
	if (low > first) {
		(void)::close_range(first, low - 1, 0);
	}
	if (high > low + 1) {
		(void)::close_range(low + 1, high - 1, 0);
	}
	(void)::close_range(high + 1, ~0U, 0);
}

[[noreturn]] void run_child(const std::vector<std::string> &command, int gate, int failure) {
	close_all_but(gate, failure); // the other end of the gate, too, so that it ends when loopsnoop is killed before it lets it go
	// What loopsnoop blocks or ignores for itself is not the command's to inherit.
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, nullptr);
	(void)std::signal(SIGPIPE, SIG_DFL);
	char go = 0;
	while (read(gate, &go, 1) < 0 && errno == EINTR) {
	}
	if (go == 1) {
		std::vector<char *> arguments;
		arguments.reserve(command.size() + 1);
		for (const std::string &argument : command) {
			arguments.push_back(
			    const_cast<char *>(argument.c_str())); // NOLINT(cppcoreguidelines-pro-type-const-cast): execvp's type
		}
		arguments.push_back(nullptr);
		execvp(arguments.front(), arguments.data());
		const int error = errno;
		(void)!write(failure, &error, sizeof(error));
	}
	_exit(127);
}

} // namespace

Result<Launch> Launch::fork(const std::vector<std::string> &command) {
	std::array<int, 2> gate{};
	std::array<int, 2> failure{};
	if (pipe2(gate.data(), O_CLOEXEC) != 0) {
		return errno_error("make a pipe");
	}
	UniqueFd gate_out(gate[0]), gate_in(gate[1]);
	if (pipe2(failure.data(), O_CLOEXEC) != 0) {
		return errno_error("make a pipe");
	}
	UniqueFd failure_out(failure[0]), failure_in(failure[1]);
	const pid_t pid = ::fork();
	if (pid < 0) {
		return errno_error("start a process", command.front());
	}
	if (pid == 0) {
		run_child(command, gate_out.get(), failure_in.get());
	}
	return Launch(pid, std::move(gate_in), std::move(failure_out), command.front());
}

Result<void> Launch::go() {
	const char yes = 1;
	if (write(gate_.get(), &yes, 1) != 1) {
		return errno_error("start the command", name_);
	}
	gate_.reset();
	pollfd waited{failure_.get(), POLLIN, 0};
	if (poll(&waited, 1, patience_ms) == 0) {
		return {};
	}
	int error = 0;
	const ssize_t n = read(failure_.get(), &error, sizeof(error));
	failure_.reset();
	begun_ = n == 0;
	if (n == sizeof(error)) {
		(void)waitpid(pid_, nullptr, 0);
		Error failure{"run the command", name_, error, {}};
		if (error == ENOENT) {
			failure.advice = "give its full path, or check its spelling";
		}
		return failure;
	}
	return {};
}

std::optional<int> Launch::status() {
	if (!status_) {
		int status = 0;
		if (waitpid(pid_, &status, WNOHANG) == pid_) {
			status_ = status;
		}
	}
	return status_;
}

} // namespace loopsnoop::discovery
