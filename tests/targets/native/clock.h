// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ns(clockid_t clock) {
	struct timespec now;
	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// CLOCK_MONOTONIC, the clock of the truth and of loopsnoop's records.
static inline int64_t monotonic_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

// What this thread used of a CPU: wall time minus this is the time it was off CPU.
static inline int64_t thread_cpu_ns(void) { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

static inline void sleep_ms(int milliseconds) {
	struct timespec left = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) != 0) {
	}
}
