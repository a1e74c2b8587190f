// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace loopsnoop::test {

struct TargetOptions {
	std::string root;               // chroot there; empty: stay
	bool own_pid_namespace = false; // the target is then pid 1 of it
};

// A child process that is killed, with its process group, and reaped when this goes. Its standard input and output are pipes to
// here.
class Target {
public:
	// `argv[0]` is the program's path, inside `root`. Fails the test case when the process cannot be made.
	explicit Target(const std::vector<std::string> &argv, const TargetOptions &options = {});
	Target(const Target &) = delete;
	Target &operator=(const Target &) = delete;
	Target(Target &&) = delete;
	Target &operator=(Target &&) = delete;
	~Target();

	[[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }
	// The lines it prints up to the line `last`, without that one. nullopt: it ended, or a minute went by.
	[[nodiscard]] std::optional<std::vector<std::string>> lines_until(const std::string &last);
	void send(const std::string &text) const; // to its standard input

private:
	pid_t pid_ = -1;
	UniqueFd in_;
	UniqueFd out_;
};

// What the kernel side would know of a thread: its fs base. Stops the thread for a moment (ptrace), which only tests may do.
[[nodiscard]] std::optional<std::uint64_t> fs_base_of(std::uint32_t tid);

} // namespace loopsnoop::test
