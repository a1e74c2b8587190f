/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The contract between kernel and user side, beside the records: what is in the mapped tables and in the iterators' output.
 * Written as records.h is. */
#pragma once

#include "records.h"

/* How often a loop's thread may be sampled. */
struct ls_sampling {
	__u64 next_ns;   /* not before */
	__u64 iteration; /* of the last hit */
	__u32 passed;    /* hits of it since the last sample */
	__u32 pad;
};

/* What user space knows about the occupant of a slot; valid while `generation` is the slot's. */
struct ls_slot_config {
	__u32 generation;
	__u32 ignore; /* 1: no account, no captures */
	__u64 tstate; /* address of the PyThreadState, 0: none known */
	__u64 gil_begin, gil_end;
	__u64 gil_locked;      /* address of an int, 1: taken; 0: not known */
	__u64 gil_last_holder; /* address of a pointer to a PyThreadState */
	__u64 threads_head;    /* address of the pointer to the first PyThreadState of its interpreter; 0: not known */
	__u16 tstate_thread_id;
	__u16 tstate_frame;
	__u16 cframe_current_frame;
	__u16 frame_back;
	__u16 frame_code;
	__u16 frame_instruction;
	__u16 frame_owner;
	__u8 has_owner;
	__u8 owner_c_stack;
	__u8 through_cframe;
	__u8 instruction_is_index;
	__u8 python; /* 1: the layout above is valid */
	__u8 pad;
	__u16 tstate_next;
	__u16 tstate_native_id; /* 0: none */
	__u64 pointer_mask;
};

/* One followed loop thread. In a mapped array: user space reads it while it changes (`changes` is odd during an update), and
 * writes only `config`, which lies in a table of its own. */
struct ls_loop {
	__u64 changes;
	__u32 in_use;
	__u32 generation;
	__u32 pid;
	__u32 tid;
	__u32 flags; /* enum ls_loop_flags */
	__u32 rank;
	__u32 poll_syscall;
	__s32 poll_fd;
	__u64 poll_sp;
	__u64 poll_set;   /* of poll() and select(): the descriptors that it last waited on, 0: not known */
	__u64 poll_place; /* of poll() and select() in CPython: the innermost frame and its code; 0: not known */
	__u64 followed_ns;
	__u64 iteration;
	__u64 iteration_start_ns; /* start of the running iteration, 0: idle in its own poll call */
	__u64 idle_since_ns;      /* 0: not idle */
	__u64 off_since_ns;       /* off CPU since, 0: on CPU */
	__u64 woken_at_ns;        /* 0: not woken */
	__u64 queued_ns;          /* the kernel's own account of its run-queue time when it went off CPU */
	__u32 off_cause;
	__s32 off_syscall;
	__u64 call_start_ns; /* of a hooked call, 0: none */
	__u64 thread_pointer;
	/* The wait record in the capture table covers waits in a row of one stack. */
	__u32 open_run; /* 1: there is a run of waits in the capture table */
	__u32 slept;    /* 1: the running iteration's account has more than time on the run queue */
	__u64 tokens;
	__u64 tokens_ns;
	__u64 small_ns;          /* waited since a wait with a stack was last sent */
	__u64 candidate_poll_sp; /* another poll call, which might be its own */
	__u64 candidate_poll_since_ns;
	__u32 candidate_poll_syscall;
	__s32 candidate_poll_fd;
	__u32 candidate_poll_count;
	__u32 kernel_pid; /* the thread's number as the kernel has it */
	struct ls_waker waker;
	/* As struct ls_iteration has it, of the iteration of that number: nothing has to be cleared as one begins. */
	struct ls_waker runner;
	__u64 runner_ns;
	__u64 runner_iteration;
	/* Totals since it is followed. */
	__u64 iterations;
	__u64 busy_ns;
	__u64 idle_total_ns;
	__u64 longest_ns;
	__u64 run_delay_ns;
	struct ls_part account[LS_CAUSES]; /* of the running iteration: closed waits */
	struct ls_part total[LS_CAUSES];   /* of all ended iterations */
	__u64 poll_delay_ns;               /* of all iterations: from woken out of the poll call to running */
	__u64 iteration_histogram[LS_HISTOGRAM];
	__u64 poll_delay_histogram[LS_HISTOGRAM];
};

enum ls_census_flags {
	LS_CENSUS_EPOLL = 1, /* asleep in epoll_wait, or for io_uring */
	LS_CENSUS_POLL = 2,  /* asleep in poll or select on more than one descriptor */
	LS_CENSUS_COPY = 4,  /* its process was forked and has not called exec() since: its descriptors may be its parent's */
};

/* One thread that nobody follows, as the census saw it: main threads, and others that are asleep in an epoll call. */
struct ls_census {
	__u32 pid;
	__u32 tid;
	__u32 exec_id; /* another one: another program */
	__u32 flags;   /* enum ls_census_flags */
	__u64 start_boottime_ns;
	__s32 poll_fd;
	__u32 pad;
	char comm[LS_COMM_BYTES];
};

/* One thread as the iterator saw it. */
struct ls_snapshot {
	__u32 pid;
	__u32 tid;
	__u32 slot;  /* 0xffffffff: none */
	__u32 state; /* task state bits, 0: runnable */
	__u64 now_ns;
	__u64 off_since_ns; /* off CPU since; 0: running, or not known */
	__u64 switches;
	__s64 syscall;
	__u64 args[6];
	__u64 thread_pointer;
	__u64 start_boottime_ns;
	__u8 cause;
	__u8 shape;
	__u8 on_cpu;
	__u8 adopted; /* this snapshot began to follow it */
	__u32 kernel_frames;
	char comm[LS_COMM_BYTES];
	struct ls_regs regs;
	__u64 kernel[LS_KERNEL_FRAMES];
	struct ls_fd fd;
};

/* A file opened for writing, or renamed to this: the path as the call has it. */
struct ls_write {
	__u64 time_ns;
	char path[LS_WRITE_PATH_BYTES];
};

/* Of one process that is followed with its children, while it lives and until user space has read it. */
struct ls_activity {
	__u64 accepted; /* connections */
	__u64 writes;   /* all; the last LS_WRITES are kept, number n at n % LS_WRITES */
	__u64 signal_ns;
	__u32 signal;   /* the last one sent to it that ends processes, 0: none */
	__u32 sender;   /* process */
	__u32 was_idle; /* then: its main thread was in its loop's own poll call */
	__u32 pad;
	char sender_comm[LS_COMM_BYTES];
	struct ls_write last[LS_WRITES];
};

/* Targets: processes user space asked to follow, by pid. */
enum ls_target_flags {
	LS_TARGET_CHILDREN = 1,
	LS_TARGET_WEAK = 2,    /* take poll() and select() loops of any thread: no better loop was found */
	LS_TARGET_FOUND = 4,   /* nobody named it: only what polls like a loop counts, and exec() ends it */
	LS_TARGET_SERVER = 16, /* LS_TARGET_FOUND, but a known server: its main thread counts before it polls */
	LS_TARGET_POOL = 8,    /* its threads take turns at one poll descriptor: no more of them are loops */
};

struct ls_target {
	__u32 flags;
	__u32 forced_tid; /* --tid, 0: none */
	__u32 adopt_tid;  /* the next snapshot takes the poll call this thread sleeps in for its own, 0: none */
	__u32 adopt_rank;
	__s32 adopt_fd; /* or this epoll descriptor: the call is one of a callback's, 0: not */
	__u32 pad;
};

#ifdef __cplusplus
static_assert(sizeof(struct ls_loop) % 8 == 0);
static_assert(sizeof(struct ls_census) == 48);
#else
_Static_assert(sizeof(struct ls_loop) % 8 == 0, "ls_loop");
_Static_assert(sizeof(struct ls_census) == 48, "ls_census");
#endif
