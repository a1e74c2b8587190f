// SPDX-License-Identifier: Apache-2.0
#include "collector/leaving.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>

namespace loopsnoop::collector {

namespace {

// Runs in a fork of a program that may have threads: system calls only, no allocation. `sorted` has the descriptors of `ordered`.
[[noreturn]] void close_here(const std::vector<int> &ordered, const std::vector<int> &sorted) {
	// A Ctrl-C in the terminal that is being left is not meant for this process.
	sigset_t all;
	sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, nullptr);
	(void)setsid();
	(void)!chdir("/"); // keeps no mount busy
	(void)prctl(PR_SET_NAME, "loopsnoop-leave");
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
	// Forked twice, so that it is nobody's child and leaves no zombie behind in a process that goes on.
	const pid_t child = fork();
	if (child == 0) {
		const pid_t grandchild = fork();
		if (grandchild == 0) {
			close_here(ordered, descriptors);
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
