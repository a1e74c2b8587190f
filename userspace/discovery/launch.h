// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace loopsnoop::discovery {

// A program that is to be followed from its first instruction: forked, held before exec() until it is followed, then let go.
class Launch {
public:
	static Result<Launch> fork(const std::vector<std::string> &command);

	[[nodiscard]] pid_t pid() const { return pid_; }
	// Lets it run the command. The Error is why it could not be run. A command on a file system that does not answer is not
	// waited for: it may begin later, or fail, which its status shows then.
	Result<void> go();
	[[nodiscard]] bool begun() const { return begun_; }
	// Its wait status, once it has ended; does not wait.
	[[nodiscard]] std::optional<int> status();

private:
	Launch(pid_t pid, UniqueFd gate, UniqueFd failure, std::string name)
	    : pid_(pid), gate_(std::move(gate)), failure_(std::move(failure)), name_(std::move(name)) {}

	pid_t pid_;
	UniqueFd gate_;    // written to when the child may go on
	UniqueFd failure_; // the child's errno when exec() failed; closed by a good exec()
	std::string name_;
	bool begun_ = false; // it is known to run
	std::optional<int> status_;
};

} // namespace loopsnoop::discovery
