// SPDX-License-Identifier: Apache-2.0
#include "collector/leaving.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>

#include "base/unique_fd.h"

namespace loopsnoop::collector {

namespace {

// Returns when the other end of the pipe is closed.
void wait_for_end(int pipe_end) {
	char nothing = 0;
	while (read(pipe_end, &nothing, 1) < 0 && errno == EINTR) {
	}
}

// Runs in a fork of a program that may have threads: system calls only, no allocation. `sorted` has the descriptors of `ordered`.
[[noreturn]] void close_here(const std::vector<int> &ordered, const std::vector<int> &sorted, int caller) {
	// A Ctrl-C in the terminal that is being left is not meant for this process.
	sigset_t all;
	sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, nullptr);
	(void)setsid();
	(void)!chdir("/"); // keeps no mount busy
	(void)prctl(PR_SET_NAME, "loopsnoop-leave");
	// Whoever is last to close one waits for the kernel: that is to be this process, not the caller.
	wait_for_end(caller);
	// The terminal, pipes and listening sockets are not ours to keep open.
	unsigned next = 0;
	for (const int each : sorted) {
		const auto number = static_cast<unsigned>(each);
		if (number > next) {
			(void)close_range(next, number - 1, 0);
		}
		next = number + 1;
	}
	(void)close_range(next, UINT_MAX, 0);
	for (const int each : ordered) {
		(void)close(each);
	}
	_exit(0);
}

} // namespace

bool close_elsewhere(std::vector<int> descriptors) {
	const std::vector<int> ordered = descriptors;
	std::sort(descriptors.begin(), descriptors.end());
	std::array<int, 2> pipe_ends{-1, -1};
	if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0) {
		return false;
	}
	UniqueFd caller(pipe_ends[0]);
	UniqueFd here(pipe_ends[1]);
	// Forked twice, so that it is nobody's child and leaves no zombie behind in a process that goes on.
	const pid_t child = fork();
	if (child == 0) {
		const pid_t grandchild = fork();
		if (grandchild == 0) {
			here.reset();
			close_here(ordered, descriptors, caller.get());
		}
		_exit(grandchild > 0 ? 0 : 1);
	}
	int status = 1;
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
	}
	if (child < 0 || status != 0) {
		return false;
	}
	for (const int each : ordered) {
		(void)close(each);
	}
	return true;
}

} // namespace loopsnoop::collector
