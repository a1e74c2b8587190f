// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "clock.h"
#include "truth.h"
#include "waits.h"

static void say_file(struct wait *wait) {
	(void)snprintf(wait->resource, sizeof wait->resource, "{\"kind\":\"file\",\"fd\":%d,\"path\":\"%s\"}", wait->fd, wait->path);
}

static void open_file(struct wait *wait) {
	wait->fd = open(wait->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (wait->fd < 0) {
		die(wait->path);
	}
	say_file(wait);
}

// As long as it takes, in one callback: each fsync() is short and made of many sleeps.
BLOCKS static void block_in_fsync(struct wait *wait) {
	static const char block[1 << 14];
	int64_t end_ns = monotonic_ns() + wait->ms * 1000000LL;
	while (monotonic_ns() < end_ns) {
		if (pwrite(wait->fd, block, sizeof block, 0) != (ssize_t)sizeof block) {
			die("pwrite");
		}
		wait->line = __LINE__, fsync(wait->fd);
	}
}

static void hold_lock(struct wait *wait) {
	int fd = open(wait->path, O_RDWR | O_CLOEXEC);
	if (flock(fd, LOCK_EX) != 0 || write(wait->other_fd, "x", 1) != 1) {
		_exit(1);
	}
	sleep_ms(wait->ms);
}

// A process of its own holds the lock: it is let go when that process ends.
static void have_file_locked(struct wait *wait) {
	int ends[2];
	char byte;
	if (pipe2(ends, O_CLOEXEC) != 0) {
		die("pipe2");
	}
	wait->other_fd = ends[1];
	wait->child = start_process("lock-holder", hold_lock, wait);
	if (read(ends[0], &byte, 1) != 1) {
		die("lock-holder");
	}
	close(ends[0]);
	close(ends[1]);
}

BLOCKS static void block_in_flock(struct wait *wait) {
	wait->line = __LINE__, flock(wait->fd, LOCK_EX);
	flock(wait->fd, LOCK_UN);
}

const struct wait_kind file_waits[] = {
    {.name = "fsync",
     .cause = "file_io",
     .syscalls = "fsync,pwrite64",
     .many_pieces = true,
     .set_up = open_file,
     BLOCK_IN(fsync)},
    {.name = "flock", .cause = "file_io", .syscalls = "flock", .set_up = open_file, .prepare = have_file_locked, BLOCK_IN(flock)},
    {0}};
