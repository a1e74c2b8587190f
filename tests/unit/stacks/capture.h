// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/capture.h"

namespace loopsnoop::test {

// A child of the test, killed and waited for at the end. Its stdin is a pipe held open, its stdout can be waited for.
class Child {
public:
	explicit Child(const std::vector<std::string> &argv);
	Child(const Child &) = delete;
	Child(Child &&) = delete;
	Child &operator=(const Child &) = delete;
	Child &operator=(Child &&) = delete;
	~Child();

	[[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }
	// The next line it prints; empty when it ends or says nothing for 20 s.
	[[nodiscard]] std::string line();
	// Writes to its stdin.
	void say(const std::string &text) const;
	// Waits until the thread sleeps in the system call of that number, 10 s at most.
	[[nodiscard]] bool sleeps_in(long syscall, std::uint32_t tid = 0) const;

private:
	pid_t pid_ = -1;
	int input_ = -1;
	int output_ = -1;
	std::string buffer_;
};

// What the BPF side would copy, here by ptrace of a thread of the test's own child: registers and `bytes` of stack.
[[nodiscard]] std::optional<RawStack> capture(std::uint32_t pid, std::uint32_t tid = 0, std::size_t bytes = 16384);

// Resident memory of this process, KiB.
[[nodiscard]] long resident_kib();

} // namespace loopsnoop::test
