// SPDX-License-Identifier: Apache-2.0
// bench_floor: empty BPF programs on loopsnoop's hooks, until SIGINT or SIGTERM. Says "ready" once all are attached.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>

#include "empty_programs.h"

int main() {
	sigset_t ends;
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, nullptr);
	const auto attached = loopsnoop::bench::EmptyPrograms::attach();
	if (!attached) {
		fmt::print(stderr, "bench: {}\n", attached.error().describe());
		return 1;
	}
	std::puts("ready");
	(void)std::fflush(stdout);
	int signal = 0;
	sigwait(&ends, &signal);
	return 0;
}
