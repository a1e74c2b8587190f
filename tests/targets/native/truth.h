// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

// One blocking call as the target itself saw it. Times on CLOCK_MONOTONIC.
struct truth_event {
	int64_t start_ns;
	int64_t end_ns;
	int64_t cpu_ns;            // CPU time of the thread between the two
	int64_t callback_start_ns; // of the whole callback: the iteration is hardly longer
	int64_t callback_end_ns;
	int tid;
	const char *cause;
	const char *syscalls; // the system calls that it may sleep in, comma separated
	const char *file;
	int line; // of the call that blocks
	const char *function;
	char resource[512]; // a JSON object, what is known of it; empty: null
	int pieces;         // 1: one long wait; 0: many
};

// Each target writes to one file; lines are whole also when two threads write. Exits on failure.
void truth_open(const char *path);
void truth_write(const struct truth_event *event);
// Any other line: a finished JSON object.
void truth_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

// One word a line to the test: "ready", "done", …
void say(const char *word);
_Noreturn void die(const char *what);
