// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "blocks.h"

// One thread's way of blocking, with what it needs for it.
struct wait {
	const struct wait_kind *kind;
	char path[256]; // a file or FIFO of its own
	int fd;         // what is read, written, locked, …
	int other_fd;   // the other end
	pid_t child;
	void *lock;
	// Of the event at hand:
	int ms;   // how long to block
	int line; // of the blocking call, set by block()
	char resource[512];
};

struct wait_kind {
	const char *name;
	const char *cause;    // several: separated by '|'
	const char *syscalls; // comma separated
	bool many_pieces;     // the call sleeps many times: only the sum is known
	void (*set_up)(struct wait *wait);
	void (*prepare)(struct wait *wait); // sees to it that block() will last wait->ms
	void (*block)(struct wait *wait);
	const char *file;     // of block()
	const char *function; // its name
};

extern const struct wait_kind *const wait_tables[];
const struct wait_kind *wait_kind_named(const char *name);

extern const struct wait_kind time_waits[];
extern const struct wait_kind pipe_waits[];
extern const struct wait_kind lock_waits[];
extern const struct wait_kind socket_waits[];
extern const struct wait_kind file_waits[];
extern const struct wait_kind child_waits[];

#define BLOCK_IN(call_name) .block = block_in_##call_name, .file = __FILE__, .function = "block_in_" #call_name

// Runs `action(wait)` on a thread of its own after wait->ms.
void after_a_while(struct wait *wait, void (*action)(struct wait *wait));
// Starts a process that is called `name` and runs `body`, which is not to return.
pid_t start_process(const char *name, void (*body)(struct wait *wait), struct wait *wait);
