// SPDX-License-Identifier: Apache-2.0
// storm_target --truth FILE: an epoll loop that makes 60 sleeps of 3 ms in one callback, 7 times: none is long, the iteration is.
// The same protocol as loop_target.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "blocks.h"
#include "clock.h"
#include "truth.h"

enum { STORMS = 7, PIECES = 60, PIECE_MS = 3 };

static int line_of_sleep;

BLOCKS static void block_in_pieces(void) {
	for (int piece = 0; piece < PIECES; ++piece) {
		struct timespec duration = {0, PIECE_MS * 1000000};
		line_of_sleep = __LINE__, clock_nanosleep(CLOCK_MONOTONIC, 0, &duration, NULL);
	}
}

static int idle(int queue, int timeout_ms) {
	struct epoll_event event;
	return epoll_wait(queue, &event, 1, timeout_ms) > 0;
}

int main(int argc, char **argv) {
	char word[64];
	int queue = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event readable = {.events = EPOLLIN};
	if (argc != 3 || epoll_ctl(queue, EPOLL_CTL_ADD, STDIN_FILENO, &readable) != 0) {
		die("usage: storm_target --truth FILE");
	}
	truth_open(argv[2]);
	truth_note("{\"kind\":\"loop\",\"pid\":%d,\"tid\":%d,\"queue_fd\":%d}", getpid(), getpid(), queue);
	for (int round = 0; round < 10; ++round) {
		idle(queue, 10);
	}
	say("ready");
	while (!idle(queue, 10)) {
	}
	(void)!read(STDIN_FILENO, word, sizeof word);
	for (int storm = 0; storm < STORMS; ++storm) {
		idle(queue, 30);
		struct truth_event event = {.tid = getpid(),
		                            .cause = "sleep",
		                            .syscalls = "clock_nanosleep",
		                            .file = __FILE__,
		                            .function = "block_in_pieces",
		                            .resource = "{\"kind\":\"timer\",\"requested_ns\":3000000}",
		                            .pieces = PIECES};
		int64_t cpu_before_ns = thread_cpu_ns();
		event.callback_start_ns = event.start_ns = monotonic_ns();
		block_in_pieces();
		event.callback_end_ns = event.end_ns = monotonic_ns();
		event.cpu_ns = thread_cpu_ns() - cpu_before_ns;
		event.line = line_of_sleep;
		truth_write(&event);
	}
	idle(queue, 30);
	say("done");
	while (!idle(queue, 1000) || read(STDIN_FILENO, word, sizeof word) > 0) {
	}
	return 0;
}
