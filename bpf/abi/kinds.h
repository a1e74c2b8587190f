/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What kinds of things both sides of the contract distinguish; see records.h and tables.h. */
#pragma once

enum ls_cause {
#define LS_CAUSE(name, words) LS_CAUSE_##name,
#include "causes.def"
#undef LS_CAUSE
	LS_CAUSES,
	LS_CAUSE_none = 0xff,
};

enum ls_loss {
#define LS_LOSS(name, words) LS_LOSS_##name,
#include "losses.def"
#undef LS_LOSS
	LS_LOSSES,
};

enum ls_record_type {
	LS_RECORD_LOOP = 1,      /* a thread was recognised as a loop, or its own poll call changed */
	LS_RECORD_WAIT = 2,      /* waits in a row of one stack have ended */
	LS_RECORD_ITERATION = 3, /* an iteration of at least the threshold has ended */
	LS_RECORD_SAMPLE = 4,    /* on-CPU stack */
	LS_RECORD_FORK = 5,
	LS_RECORD_EXEC = 6,
	LS_RECORD_EXIT = 7,
	LS_RECORD_GIL = 8,        /* a wait for the GIL has ended: who held it when it began */
	LS_RECORD_WAKER = 9,      /* who ended a wait, where it stood then; the wait's own record follows */
	LS_RECORD_CANDIDATE = 10, /* a thread that nobody follows polls as a loop does; with knobs.discover */
};

/* What a blocked system call waits on decides the cause; the table syscall -> shape is filled by user space. */
enum ls_shape {
	LS_SHAPE_OTHER = 0,
	LS_SHAPE_FD,    /* first argument is the descriptor */
	LS_SHAPE_PATH0, /* a path in argument 0 */
	LS_SHAPE_PATH1, /* a path in argument 1, directory descriptor in argument 0 */
	LS_SHAPE_FILE,  /* files, but nothing to name (sync) */
	LS_SHAPE_FUTEX,
	LS_SHAPE_SLEEP0, /* timespec in argument 0 (nanosleep) */
	LS_SHAPE_SLEEP2, /* clock_nanosleep: flags in 1, timespec in 2 */
	LS_SHAPE_CHILD,
	LS_SHAPE_POLL, /* pollfd array, count */
	LS_SHAPE_SELECT,
	LS_SHAPE_EPOLL,
	LS_SHAPE_URING,
	LS_SHAPE_RESTART, /* restart_syscall: goes on with the call before */
};

/* How sure it is that a poll call is a loop's own; higher wins. */
enum ls_rank {
	LS_RANK_NONE = 0,
	LS_RANK_SINGLE = 1, /* poll or select on one connected socket: what client libraries do */
	LS_RANK_FEW = 2,    /* poll or select on one listening socket, timer, pipe, … */
	LS_RANK_MANY = 3,   /* poll or select on several descriptors */
	LS_RANK_STRONG = 4, /* epoll, io_uring, io_getevents */
};

enum ls_loop_flags {
	LS_LOOP_PROVISIONAL = 1,   /* a main thread that has not come to a poll call yet */
	LS_LOOP_FORCED = 2,        /* --tid */
	LS_LOOP_IN_OWN_POLL = 4,   /* of an epoll call, whose end is not hooked: or running since (in_own_poll() knows) */
	LS_LOOP_BEFORE_ATTACH = 8, /* the running iteration began before the thread was followed */
	LS_LOOP_RESTART = 16,      /* the own poll call was interrupted and will go on in restart_syscall */
	LS_LOOP_LEFT_CPU = 32,     /* in its own poll call, while IN_OWN_POLL: asleep or preempted */
};

enum ls_ended_by {
	LS_ENDED_BY_POLL = 0, /* its own poll call */
	LS_ENDED_BY_EXIT = 1, /* of the thread or the process */
	LS_ENDED_BY_EXEC = 2,
};

enum ls_wait_flags {
	LS_WAIT_CAPTURED = 1, /* registers and stack are there */
	LS_WAIT_PYTHON = 2,   /* the Python frames were walked */
	LS_WAIT_WAKER = 4,
	LS_WAIT_PYTHON_CUT = 16, /* more Python frames than fit, or one could not be read */
};

enum ls_fd_flags {
	LS_FD_WRITABLE = 1,
	LS_FD_DELETED = 2,
	LS_FD_PATH_CUT = 4,
	LS_FD_MISSING = 8, /* no such descriptor */
};
