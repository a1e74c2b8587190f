// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "truth.h"
#include "waits.h"

static void open_pipe(struct wait *wait) {
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0) {
		die("pipe2");
	}
	wait->fd = ends[0];
	wait->other_fd = ends[1];
	(void)snprintf(wait->resource, sizeof wait->resource, "{\"kind\":\"pipe\",\"fd\":%d,\"path\":null}", wait->fd);
}

static void feed(struct wait *wait) {
	if (write(wait->other_fd, "x", 1) != 1) {
		die("write");
	}
}

static void feed_later(struct wait *wait) { after_a_while(wait, feed); }

BLOCKS static void block_in_pipe_read(struct wait *wait) {
	char byte;
	ssize_t got;
	wait->line = __LINE__, got = read(wait->fd, &byte, 1);
	if (got != 1) {
		die("read");
	}
}

BLOCKS static void block_in_poll_on_pipe(struct wait *wait) {
	struct pollfd one = {.fd = wait->fd, .events = POLLIN};
	wait->line = __LINE__, poll(&one, 1, 5000);
	block_in_pipe_read(wait), wait->line = __LINE__ - 1;
}

// Two descriptors: the cause is `poll`, the resource both.
BLOCKS static void block_in_poll_on_two(struct wait *wait) {
	struct pollfd two[2] = {{.fd = wait->fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLPRI}};
	wait->line = __LINE__, poll(two, 2, 5000);
	block_in_pipe_read(wait), wait->line = __LINE__ - 1;
}

static void set_up_poll_on_two(struct wait *wait) {
	open_pipe(wait);
	(void)snprintf(wait->resource, sizeof wait->resource, "{\"kind\":\"fds\",\"fds\":[{\"fd\":%d},{\"fd\":0}]}", wait->fd);
}

static void open_nested_epoll(struct wait *wait) {
	open_pipe(wait);
	wait->child = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};
	epoll_ctl(wait->child, EPOLL_CTL_ADD, wait->fd, &event);
	wait->resource[0] = '\0';
}

// Another epoll descriptor than the loop's, as Node's execSync() makes one.
BLOCKS static void block_in_nested_epoll(struct wait *wait) {
	struct epoll_event event;
	wait->line = __LINE__, epoll_wait(wait->child, &event, 1, 5000);
	block_in_pipe_read(wait), wait->line = __LINE__ - 1;
}

static void fill_pipe(struct wait *wait) {
	static char block[4096];
	fcntl(wait->other_fd, F_SETFL, O_NONBLOCK);
	while (write(wait->other_fd, block, sizeof block) > 0) {
	}
	fcntl(wait->other_fd, F_SETFL, 0);
}

static void open_full_pipe(struct wait *wait) {
	open_pipe(wait);
	(void)snprintf(wait->resource, sizeof wait->resource, "{\"kind\":\"pipe\",\"fd\":%d,\"path\":null}", wait->other_fd);
}

static void drain(struct wait *wait) {
	static char block[1 << 16];
	if (read(wait->fd, block, sizeof block) <= 0) {
		die("read");
	}
}

static void fill_then_drain_later(struct wait *wait) {
	fill_pipe(wait);
	after_a_while(wait, drain);
}

BLOCKS static void block_in_pipe_write(struct wait *wait) {
	static const char block[4096];
	ssize_t put;
	wait->line = __LINE__, put = write(wait->other_fd, block, sizeof block);
	if (put <= 0) {
		die("write");
	}
}

static void make_fifo(struct wait *wait) {
	if (mkfifo(wait->path, 0600) != 0) {
		die(wait->path);
	}
	(void)snprintf(wait->resource, sizeof wait->resource, "{\"kind\":\"pipe\",\"path\":\"%s\"}", wait->path);
}

static void open_for_writing(struct wait *wait) { close(open(wait->path, O_WRONLY | O_CLOEXEC)); }

static void open_other_end_later(struct wait *wait) { after_a_while(wait, open_for_writing); }

BLOCKS static void block_in_fifo_open(struct wait *wait) {
	wait->line = __LINE__, wait->fd = open(wait->path, O_RDONLY | O_CLOEXEC);
	close(wait->fd);
}

static void open_fifo(struct wait *wait) {
	make_fifo(wait);
	wait->fd = open(wait->path, O_RDWR | O_CLOEXEC);
	wait->other_fd = wait->fd;
}

const struct wait_kind pipe_waits[] = {
    {.name = "pipe_read", .cause = "pipe", .syscalls = "read", .set_up = open_pipe, .prepare = feed_later, BLOCK_IN(pipe_read)},
    {.name = "pipe_write",
     .cause = "pipe",
     .syscalls = "write",
     .set_up = open_full_pipe,
     .prepare = fill_then_drain_later,
     BLOCK_IN(pipe_write)},
    {.name = "poll_on_pipe",
     .cause = "pipe",
     .syscalls = "poll",
     .set_up = open_pipe,
     .prepare = feed_later,
     BLOCK_IN(poll_on_pipe)},
    {.name = "poll_on_two",
     .cause = "poll",
     .syscalls = "poll",
     .set_up = set_up_poll_on_two,
     .prepare = feed_later,
     BLOCK_IN(poll_on_two)},
    {.name = "nested_epoll",
     .cause = "poll|pipe",
     .syscalls = "epoll_wait",
     .set_up = open_nested_epoll,
     .prepare = feed_later,
     BLOCK_IN(nested_epoll)},
    {.name = "fifo_open",
     .cause = "pipe",
     .syscalls = "openat,open",
     .set_up = make_fifo,
     .prepare = open_other_end_later,
     BLOCK_IN(fifo_open)},
    {.name = "fifo_read", .cause = "pipe", .syscalls = "read", .set_up = open_fifo, .prepare = feed_later, BLOCK_IN(pipe_read)},
    {0}};
