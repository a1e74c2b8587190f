// SPDX-License-Identifier: Apache-2.0
// main -> bare_call (no call-frame information) -> sleeps. With an argument: reads the clock in a loop instead.
#include <stdio.h>
#include <time.h>

void bare_call(void (*function)(void));
static volatile long sum;

__attribute__((noinline)) static void sleeps(void) {
	const struct timespec forever = {1000, 0};
	nanosleep(&forever, NULL);
	sum++;
}

__attribute__((noinline)) static void asks_the_clock(void) {
	for (;;) {
		struct timespec now;
		clock_gettime(CLOCK_MONOTONIC, &now);
		sum += now.tv_nsec;
	}
}

int main(int argc, char **argv) {
	(void)argv;
	puts("ready");
	fflush(stdout);
	bare_call(argc > 1 ? asks_the_clock : sleeps);
	return (int)sum;
}
