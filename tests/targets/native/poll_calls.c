// SPDX-License-Identifier: Apache-2.0
#include "poll_calls.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "truth.h"

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

struct poll_call *new_poll_call(int fd) {
	struct poll_call *call = calloc(1, sizeof *call);
	if (call == NULL) {
		die("calloc");
	}
	call->fd = fd;
	call->spare_fd = eventfd(0, EFD_CLOEXEC);
	call->queue_fd = -1;
	return call;
}

static struct timespec timespec_of(int milliseconds) {
	return (struct timespec){milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
}

static int checked(long got, const char *what) {
	if (got < 0 && errno != EINTR) {
		die(what);
	}
	return got > 0;
}

static struct poll_call *open_epoll(int fd) {
	struct poll_call *call = new_poll_call(fd);
	call->queue_fd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
	if (epoll_ctl(call->queue_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
		die("epoll_ctl");
	}
	return call;
}

static int wait_epoll(struct poll_call *call, int timeout_ms) {
	struct epoll_event events[8];
	return checked(syscall(SYS_epoll_wait, call->queue_fd, events, 8, timeout_ms), "epoll_wait");
}

static int wait_epoll_pwait(struct poll_call *call, int timeout_ms) {
	struct epoll_event events[8];
	return checked(syscall(SYS_epoll_pwait, call->queue_fd, events, 8, timeout_ms, NULL, 8), "epoll_pwait");
}

static int wait_epoll_pwait2(struct poll_call *call, int timeout_ms) {
	struct epoll_event events[8];
	struct timespec timeout = timespec_of(timeout_ms);
	return checked(syscall(SYS_epoll_pwait2, call->queue_fd, events, 8, &timeout, NULL, 8), "epoll_pwait2");
}

// Never sleeps: asks again until something is ready or the time is over, each question an iteration.
static int wait_epoll_busy(struct poll_call *call, int timeout_ms) {
	(void)timeout_ms;
	return wait_epoll(call, 0);
}

static int wait_poll(struct poll_call *call, int timeout_ms) {
	struct pollfd fds[2] = {{.fd = call->fd, .events = POLLIN}, {.fd = call->spare_fd, .events = POLLIN}};
	return checked(syscall(SYS_poll, fds, 2, timeout_ms), "poll");
}

static int wait_poll_one(struct poll_call *call, int timeout_ms) {
	struct pollfd fds[1] = {{.fd = call->fd, .events = POLLIN}};
	return checked(syscall(SYS_poll, fds, 1, timeout_ms), "poll");
}

static int wait_ppoll(struct poll_call *call, int timeout_ms) {
	struct pollfd fds[2] = {{.fd = call->fd, .events = POLLIN}, {.fd = call->spare_fd, .events = POLLIN}};
	struct timespec timeout = timespec_of(timeout_ms);
	return checked(syscall(SYS_ppoll, fds, 2, &timeout, NULL, 8), "ppoll");
}

static int highest(const struct poll_call *call) { return (call->fd > call->spare_fd ? call->fd : call->spare_fd) + 1; }

static void fill_set(const struct poll_call *call, fd_set *set) {
	FD_ZERO(set);
	FD_SET(call->fd, set);
	FD_SET(call->spare_fd, set);
}

static int wait_select(struct poll_call *call, int timeout_ms) {
	fd_set readable;
	fill_set(call, &readable);
	struct timeval timeout = {timeout_ms / 1000, (suseconds_t)(timeout_ms % 1000) * 1000};
	return checked(syscall(SYS_select, highest(call), &readable, NULL, NULL, &timeout), "select");
}

static int wait_pselect6(struct poll_call *call, int timeout_ms) {
	fd_set readable;
	fill_set(call, &readable);
	struct timespec timeout = timespec_of(timeout_ms);
	return checked(syscall(SYS_pselect6, highest(call), &readable, NULL, NULL, &timeout, NULL), "pselect6");
}

// POSIX-AIO style: one IOCB_CMD_POLL on the descriptor, waited for with io_getevents or io_pgetevents.
struct aio_poll {
	aio_context_t context;
	struct iocb request;
	int submitted;
};

static struct poll_call *open_aio(int fd) {
	struct aio_poll *aio = calloc(1, sizeof *aio);
	if (aio == NULL || syscall(SYS_io_setup, 8, &aio->context) != 0) {
		free(aio);
		return NULL;
	}
	struct poll_call *call = new_poll_call(fd);
	call->more = aio;
	return call;
}

static void submit_aio(struct poll_call *call) {
	struct aio_poll *aio = call->more;
	if (aio->submitted) {
		return;
	}
	aio->request = (struct iocb){.aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = (uint32_t)call->fd, .aio_buf = POLLIN};
	struct iocb *requests[1] = {&aio->request};
	if (syscall(SYS_io_submit, aio->context, 1, requests) != 1) {
		die("io_submit");
	}
	aio->submitted = 1;
}

static int wait_io_getevents(struct poll_call *call, int timeout_ms) {
	submit_aio(call);
	struct aio_poll *aio = call->more;
	struct io_event events[4];
	struct timespec timeout = timespec_of(timeout_ms);
	int got = checked(syscall(SYS_io_getevents, aio->context, 1, 4, events, &timeout), "io_getevents");
	aio->submitted = !got;
	return got;
}

static int wait_io_pgetevents(struct poll_call *call, int timeout_ms) {
	submit_aio(call);
	struct aio_poll *aio = call->more;
	struct io_event events[4];
	struct timespec timeout = timespec_of(timeout_ms);
	int got = checked(syscall(SYS_io_pgetevents, aio->context, 1, 4, events, &timeout, NULL), "io_pgetevents");
	aio->submitted = !got;
	return got;
}

static const struct poll_kind kinds[] = {
    {"epoll_wait", open_epoll, wait_epoll},
    {"epoll_pwait", open_epoll, wait_epoll_pwait},
    {"epoll_pwait2", open_epoll, wait_epoll_pwait2},
    {"epoll_busy", open_epoll, wait_epoll_busy},
    {"poll", new_poll_call, wait_poll},
    {"poll_one", new_poll_call, wait_poll_one},
    {"ppoll", new_poll_call, wait_ppoll},
    {"select", new_poll_call, wait_select},
    {"pselect6", new_poll_call, wait_pselect6},
    {"io_getevents", open_aio, wait_io_getevents},
    {"io_pgetevents", open_aio, wait_io_pgetevents},
};

const struct poll_kind *poll_kind_named(const char *name) {
	if (strcmp(name, io_uring_kind.name) == 0) {
		return &io_uring_kind;
	}
	for (size_t index = 0; index < sizeof kinds / sizeof kinds[0]; ++index) {
		if (strcmp(kinds[index].name, name) == 0) {
			return &kinds[index];
		}
	}
	return NULL;
}
