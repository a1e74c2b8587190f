// SPDX-License-Identifier: Apache-2.0
// moved_loop: a poll() loop that goes round in main() until "go" comes, then the same one from one frame deeper, where it blocks
// eight times for 150 ms. Says "ready" once it loops and "done" after that; ends at the end of its stdin.
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "truth.h"

enum { TICK_NS = 20000000, BLOCKS = 8, BLOCK_NS = 150000000, TICKS_BETWEEN = 5 };

static struct pollfd polled[] = {{-1, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};

// Waits once; false: the input has ended. `went`: it has said something.
static __attribute__((noinline)) bool poll_once(bool *went) {
	char line[64];
	uint64_t ticks;
	if (poll(polled, 2, -1) < 0) {
		die("poll");
	}
	if ((polled[0].revents & POLLIN) != 0 && read(polled[0].fd, &ticks, sizeof ticks) < 0) {
		die("read of the timer");
	}
	if ((polled[1].revents & (POLLIN | POLLHUP)) != 0) {
		ssize_t n = read(STDIN_FILENO, line, sizeof line);
		*went = n > 0;
		return n > 0;
	}
	return true;
}

static __attribute__((noinline)) void run(volatile int *blocked) {
	bool went = false;
	for (int ticks = 0; poll_once(&went); ticks++) {
		if (ticks % TICKS_BETWEEN == TICKS_BETWEEN - 1 && *blocked < BLOCKS) {
			const struct timespec pause = {0, BLOCK_NS};
			(void)nanosleep(&pause, NULL);
			if (++*blocked == BLOCKS) {
				(void)puts("done");
			}
		}
	}
}

int main(void) {
	const struct itimerspec tick = {{0, TICK_NS}, {0, TICK_NS}};
	volatile int blocked = 0;
	bool went = false;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	polled[0].fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (polled[0].fd < 0 || timerfd_settime(polled[0].fd, 0, &tick, NULL) != 0) {
		die("timerfd");
	}
	(void)puts("ready");
	while (!went) {
		if (!poll_once(&went)) {
			return 0;
		}
	}
	run(&blocked);
	return 0;
}
