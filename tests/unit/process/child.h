// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <functional>

#include "base/unique_fd.h"
#include "catch.h"

// Runs `body` in a forked process, then `after`, and then sleeps until killed. `wait_ready` returns once the body is through,
// `wait_exec` once `after` has made it another program.
class Child {
public:
	explicit Child(
	    const std::function<bool()> &body, const std::function<void()> &after = [] {}) {
		std::array<int, 2> ready{};
		REQUIRE(::pipe2(ready.data(), O_CLOEXEC) == 0);
		pid_ = ::fork();
		REQUIRE(pid_ >= 0);
		if (pid_ == 0) {
			::close(ready[0]);
			::alarm(60); // outlives no crashed test by much
			const char answer = body() ? 'y' : 'n';
			static_cast<void>(::write(ready[1], &answer, 1));
			after();
			::close(ready[1]);
			for (;;) {
				::pause();
			}
		}
		::close(ready[1]);
		ready_ = loopsnoop::UniqueFd(ready[0]);
	}
	Child(const Child &) = delete;
	Child &operator=(const Child &) = delete;
	Child(Child &&) = delete;
	Child &operator=(Child &&) = delete;
	~Child() {
		::kill(pid_, SIGKILL);
		::waitpid(pid_, nullptr, 0);
	}
	[[nodiscard]] bool wait_ready() const {
		char answer = 'n';
		return ::read(ready_.get(), &answer, 1) == 1 && answer == 'y';
	}
	[[nodiscard]] bool wait_exec() const {
		char answer = 'n';
		return ::read(ready_.get(), &answer, 1) == 0;
	}
	[[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }

private:
	pid_t pid_ = -1;
	loopsnoop::UniqueFd ready_;
};
