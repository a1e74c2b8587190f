// SPDX-License-Identifier: Apache-2.0
#pragma once

// The ways a loop can wait. Every one of them is made by a raw system call, so that it is the one it says and not what
// the C library makes of it.
struct poll_call;

struct poll_kind {
	const char *name;
	// Null when this kernel does not allow it (errno says why).
	struct poll_call *(*open)(int fd);
	// Waits until `fd` is readable (1) or `timeout_ms` are over (0).
	int (*wait)(struct poll_call *call, int timeout_ms);
};

// Null for an unknown name.
const struct poll_kind *poll_kind_named(const char *name);
extern const struct poll_kind io_uring_kind;

struct poll_call {
	int fd;       // whose readability it waits for
	int queue_fd; // epoll descriptor
	int spare_fd; // a second descriptor that never becomes ready, for calls on several
	void *more;
};

struct poll_call *new_poll_call(int fd);
