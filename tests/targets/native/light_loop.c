// SPDX-License-Identifier: Apache-2.0
// light_loop MODE: epoll loops with nothing wrong with them, and the worlds around them.
//   healthy   500 iterations a second, each a little work
//   idle      one timer a second, else an endless wait
//   churn     healthy, and a thread made and joined after the other, as fast as it goes for 2 s: says "done N"
//   crowd     healthy, among 1,000 sleeping threads
//   beats     healthy, and at "go" blocks 300 ms every 50 ms until its stdin ends
// Says "ready" once it loops; ends at the end of its stdin.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "blocks.h"
#include "clock.h"
#include "truth.h"

enum { CROWD = 1000, CHURN_MS = 2000, CHURNERS_STACK = 65536 };

static void work_a_little(void) {
	for (volatile int round = 0; round < 2000; ++round) {
	}
}

static void *end_at_once(void *argument) { return argument; }

static void *churn(void *argument) {
	(void)argument;
	pthread_attr_t small;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, CHURNERS_STACK);
	int64_t end_ns = monotonic_ns() + CHURN_MS * 1000000LL;
	int made = 0;
	while (monotonic_ns() < end_ns) {
		pthread_t thread;
		if (pthread_create(&thread, &small, end_at_once, NULL) == 0) {
			pthread_join(thread, NULL);
			++made;
		}
	}
	(void)printf("done %d\n", made);
	(void)fflush(stdout);
	return NULL;
}

static void *sleep_on(void *argument) {
	for (;;) {
		sleep_ms(1000000);
	}
	return argument;
}

static void start_thread(void *(*body)(void *argument)) {
	pthread_t thread;
	pthread_attr_t small;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, CHURNERS_STACK);
	if (pthread_create(&thread, &small, body, NULL) != 0) {
		die("pthread_create");
	}
	pthread_detach(thread);
}

BLOCKS static void block_a_beat(void) {
	sleep_ms(300);
	__asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv) {
	const char *mode = argc > 1 ? argv[1] : "";
	int idle = strcmp(mode, "idle") == 0;
	int beats = strcmp(mode, "beats") == 0;
	int queue = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};
	if (epoll_ctl(queue, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0) {
		die("epoll_ctl");
	}
	if (strcmp(mode, "crowd") == 0) {
		for (int number = 0; number < CROWD; ++number) {
			start_thread(sleep_on);
		}
	}
	int gone = 0;
	for (int iteration = 0;; ++iteration) {
		if (iteration == (idle ? 0 : 50)) {
			say("ready");
		}
		int readable = epoll_wait(queue, &event, 1, gone && beats ? 50 : idle ? 1000 : 2) > 0;
		if (readable) {
			char word[64];
			if (read(STDIN_FILENO, word, sizeof word) <= 0) {
				return 0;
			}
			gone = 1;
			if (strcmp(mode, "churn") == 0) {
				start_thread(churn);
			}
		}
		if (beats && gone) {
			block_a_beat();
		} else {
			work_a_little();
		}
	}
}
