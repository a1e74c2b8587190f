// SPDX-License-Identifier: Apache-2.0
// The same in C.
#include <time.h>

static inline __attribute__((always_inline)) void wait_for(int seconds) {
	const struct timespec time = {seconds, 0};
	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, 0); // line 7
}

static inline __attribute__((always_inline)) void retry(int seconds) {
	wait_for(seconds + 599); // line 11
}

__attribute__((noinline)) void serve(int seconds) {
	retry(seconds); // line 15
	__asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv) {
	(void)argv;
	serve(argc);
	return 0;
}
