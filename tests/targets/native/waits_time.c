// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "waits.h"

static void say_requested(struct wait *wait) {
	(void)snprintf(wait->resource, sizeof wait->resource, "{\"kind\":\"timer\",\"requested_ns\":%lld}", wait->ms * 1000000LL);
}

static struct timespec requested(const struct wait *wait) {
	return (struct timespec){wait->ms / 1000, (long)(wait->ms % 1000) * 1000000};
}

BLOCKS static void block_in_nanosleep(struct wait *wait) {
	struct timespec duration = requested(wait);
	wait->line = __LINE__, syscall(SYS_nanosleep, &duration, NULL);
	__asm__ volatile("" ::: "memory");
}

BLOCKS static void block_in_clock_nanosleep(struct wait *wait) {
	struct timespec duration = requested(wait);
	wait->line = __LINE__, clock_nanosleep(CLOCK_MONOTONIC, 0, &duration, NULL);
	__asm__ volatile("" ::: "memory");
}

// CPython 3.11's time.sleep() does the same: the requested time is the deadline less the time of the call.
BLOCKS static void block_in_absolute_sleep(struct wait *wait) {
	int64_t deadline_ns = monotonic_ns() + wait->ms * 1000000LL;
	struct timespec deadline = {deadline_ns / 1000000000, deadline_ns % 1000000000};
	wait->line = __LINE__, clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL);
	__asm__ volatile("" ::: "memory");
}

BLOCKS static void block_in_select_on_nothing(struct wait *wait) {
	struct timeval timeout = {wait->ms / 1000, (suseconds_t)(wait->ms % 1000) * 1000};
	wait->line = __LINE__, syscall(SYS_select, 0, NULL, NULL, NULL, &timeout);
	__asm__ volatile("" ::: "memory");
}

BLOCKS static void block_in_poll_on_nothing(struct wait *wait) {
	wait->line = __LINE__, syscall(SYS_poll, NULL, 0, wait->ms);
	__asm__ volatile("" ::: "memory");
}

// No wait at all: what must not be taken for one.
BLOCKS static void block_in_compute(struct wait *wait) {
	int64_t end_ns = monotonic_ns() + wait->ms * 1000000LL;
	while (monotonic_ns() < end_ns) {
		wait->line = __LINE__;
	}
}

const struct wait_kind time_waits[] = {
    {.name = "nanosleep", .cause = "sleep", .syscalls = "nanosleep", .prepare = say_requested, BLOCK_IN(nanosleep)},
    {.name = "clock_nanosleep",
     .cause = "sleep",
     .syscalls = "clock_nanosleep",
     .prepare = say_requested,
     BLOCK_IN(clock_nanosleep)},
    {.name = "absolute_sleep",
     .cause = "sleep",
     .syscalls = "clock_nanosleep",
     .prepare = say_requested,
     BLOCK_IN(absolute_sleep)},
    {.name = "select_on_nothing", .cause = "sleep", .syscalls = "select", .prepare = say_requested, BLOCK_IN(select_on_nothing)},
    {.name = "poll_on_nothing", .cause = "sleep", .syscalls = "poll", .prepare = say_requested, BLOCK_IN(poll_on_nothing)},
    {.name = "compute", .cause = "cpu", .syscalls = "", BLOCK_IN(compute)},
    {0}};
