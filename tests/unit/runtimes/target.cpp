// SPDX-License-Identifier: Apache-2.0
#include "target.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "base/clock.h"
#include "catch.h"

namespace loopsnoop::test {

Target::Target(const std::vector<std::string> &argv, const TargetOptions &options) {
	std::array<int, 2> ends{};
	REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
	out_.reset(ends[0]);
	const UniqueFd its_out(ends[1]);
	REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
	const UniqueFd its_in(ends[0]);
	in_.reset(ends[1]);
	std::vector<char *> arguments;
	arguments.reserve(argv.size() + 1);
	for (const std::string &argument : argv) {
		arguments.push_back(const_cast<char *>(argument.c_str())); // NOLINT(cppcoreguidelines-pro-type-const-cast)
	}
	arguments.push_back(nullptr);
	if (options.own_pid_namespace) {
		REQUIRE(::unshare(CLONE_NEWPID) == 0); // of the children to come; the test program stays where it is
	}
	pid_ = ::fork();
	REQUIRE(pid_ >= 0);
	if (pid_ == 0) {
		::prctl(PR_SET_PDEATHSIG, SIGKILL);
		::setpgid(0, 0);
		const bool inside = options.root.empty() || (::chroot(options.root.c_str()) == 0 && ::chdir("/") == 0);
		if (inside && ::dup2(its_out.get(), STDOUT_FILENO) >= 0 && ::dup2(its_in.get(), STDIN_FILENO) >= 0) {
			::execv(arguments.front(), arguments.data());
		}
		::_exit(127);
	}
	if (options.own_pid_namespace) {
		const UniqueFd own(::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
		REQUIRE(::setns(own.get(), CLONE_NEWPID) == 0);
	}
}

Target::~Target() {
	if (pid_ > 0) {
		// With what it has started, which would hold our standard error open, and ctest would wait for its end.
		::kill(-pid_, SIGKILL);
		::kill(pid_, SIGKILL);
		::waitpid(pid_, nullptr, 0);
	}
}

std::optional<std::vector<std::string>> Target::lines_until(const std::string &last) {
	const std::uint64_t deadline = monotonic_ns() + 60'000'000'000;
	std::vector<std::string> lines(1);
	while (monotonic_ns() < deadline) {
		pollfd readable{out_.get(), POLLIN, 0};
		if (::poll(&readable, 1, 1000) <= 0) {
			continue;
		}
		std::array<char, 4096> bytes{};
		const ssize_t got = ::read(out_.get(), bytes.data(), bytes.size());
		if (got <= 0) {
			return std::nullopt;
		}
		for (ssize_t i = 0; i < got; ++i) {
			const char c = bytes.at(static_cast<std::size_t>(i));
			if (c != '\n') {
				lines.back() += c;
			} else if (lines.back() == last) {
				lines.pop_back();
				return lines;
			} else {
				lines.emplace_back();
			}
		}
	}
	return std::nullopt;
}

void Target::send(const std::string &text) const {
	REQUIRE(::write(in_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

std::optional<std::uint64_t> fs_base_of(std::uint32_t tid) {
	const auto thread = static_cast<pid_t>(tid);
	if (::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0) {
		return std::nullopt;
	}
	std::optional<std::uint64_t> base;
	user_regs_struct registers{};
	if (::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) == 0 && ::waitpid(thread, nullptr, __WALL) == thread &&
	    ::ptrace(PTRACE_GETREGS, thread, nullptr, &registers) == 0) {
		base = registers.fs_base;
	}
	::ptrace(PTRACE_DETACH, thread, nullptr, nullptr);
	return base;
}

} // namespace loopsnoop::test
