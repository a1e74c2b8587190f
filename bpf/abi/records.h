/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The contract between kernel and user side: what is in the ring buffer; tables.h has the rest.
 * Plain C, fixed widths, explicit padding. Times are bpf_ktime_get_ns(): CLOCK_MONOTONIC. Pids are those of loopsnoop's own
 * pid namespace. Little-endian. */
#pragma once

#include <linux/types.h>

#include "arch/arch.h"
#include "kinds.h"
#include "sizes.h"

struct ls_part {
	__u64 ns;
	__u64 count;
};

struct ls_regs { /* by DWARF number: see arch/ */
	__u64 r[LS_REGISTERS];
};

struct ls_fd {
	__s32 fd;
	__u16 mode;  /* S_IFMT and permissions */
	__u16 flags; /* enum ls_fd_flags */
	__u64 inode;
	__u32 device; /* kernel encoding: major << 20 | minor */
	__u16 family;
	__u16 type;
	__u16 protocol;
	__u8 state;
	__u8 pad[1];
	__u16 local_port;  /* host order */
	__u16 remote_port; /* host order */
	__u8 local[16];
	__u8 remote[16];
	__u32 unix_peer_pid;
	__u32 path_bytes;
	__u64 unix_peer_inode;
	char path[LS_PATH_BYTES]; /* unix sockets: sun_path as it is */
};

struct ls_python_frame {
	__u64 code;
	__u64 instruction;
};

struct ls_waker {
	__u32 pid;
	__u32 tid;
	char comm[LS_COMM_BYTES];         /* thread name */
	char process_comm[LS_COMM_BYTES]; /* main thread's name */
};

struct ls_header {
	__u16 type; /* enum ls_record_type */
	__u16 slot;
	__u32 generation; /* of the slot: which occupant this is about */
	__u64 time_ns;
	__u32 pid;
	__u32 tid;
};

/* LS_RECORD_WAIT, LS_RECORD_SAMPLE, LS_RECORD_WAKER: stack_bytes bytes of user stack follow, from the stack pointer upward. Of a
 * waker the header and start_ns are the wait's; the registers, frames and the stack are those of the thread in `waker`. A sample
 * for a dump is of no loop: its slot is 0xffff. */
struct ls_wait {
	struct ls_header h;
	__u64 iteration; /* number of the iteration it belongs to */
	__u64 start_ns;
	__u64 end_ns;
	__u64 off_ns; /* time off CPU, all pieces, run-queue delay included */
	__u64 run_delay_ns;
	__u64 count;
	__u64 key;     /* equal keys: equal registers and frames */
	__s32 syscall; /* -1: none */
	__u8 cause;
	__u8 shape;
	__u16 flags; /* enum ls_wait_flags */
	__u64 args[6];
	__u64 requested_ns;  /* of a sleep; ~0: not known or not limited */
	__u64 fault_address; /* of the last major page fault of these waits, 0: not known */
	/* From the futex and file-I/O tracepoints: whole length of the calls these waits were part of. calls 0: not hooked. */
	__u64 call_ns;
	__u64 calls;
	__s64 result; /* of the last of them */
	struct ls_regs regs;
	struct ls_waker waker; /* of the longest of these waits */
	__u64 waker_ns;        /* how long that one was, the delay on the run queue left out */
	__u32 kernel_frames;
	__u32 python_frames;
	__u32 fds;       /* entries of fd[] in use */
	__u32 fds_total; /* descriptors the call waits on */
	__u32 stack_bytes;
	__u32 waker_frames; /* 0: the waker's kernel stack was not taken */
	__u64 kernel[LS_KERNEL_FRAMES];
	__u64 waker_kernel[LS_KERNEL_FRAMES]; /* shows whether the thread woke it, or an interrupt that hit that thread */
	struct ls_python_frame python[LS_PYTHON_FRAMES];
	struct ls_fd fd[LS_FDS];
	char path[LS_ARG_PATH_BYTES];
};

/* LS_RECORD_GIL; ends after python_frames entries of python[]. What CPython's own variables said when the thread went to sleep.
 */
struct ls_gil_wait {
	struct ls_header h;
	__u64 iteration;
	__u64 start_ns;
	__u64 off_ns;    /* waited, without the delay on the run queue */
	__u64 tstate;    /* address of the holder's PyThreadState */
	__u64 thread_id; /* its pthread_self() */
	__u32 native_id; /* its tid in its own pid namespace, 0: not known */
	__u32 python_frames;
	struct ls_python_frame python[LS_PYTHON_FRAMES];
};

struct ls_iteration {
	struct ls_header h;
	__u64 iteration;
	__u64 start_ns;
	__u64 end_ns;
	__u32 flags;    /* enum ls_loop_flags as they were */
	__u32 ended_by; /* enum ls_ended_by */
	struct ls_part account[LS_CAUSES];
	struct ls_waker runner; /* of those that ran on its CPU until it got that back, the one that did so longest */
	__u64 runner_ns;        /* for how long while the loop waited; 0: nobody worth noting */
};

struct ls_process_event { /* LS_RECORD_FORK, _EXEC, _EXIT; slot is 0xffff when the thread has none */
	struct ls_header h;
	__u32 child;      /* fork */
	__u32 exit_code;  /* exit: wait status */
	__u32 group_dead; /* exit: the whole process has ended */
	__u32 followed;   /* fork: the child is followed */
	/* exit, exec: the loop's totals, if it was one */
	__u64 iterations;
	__u64 busy_ns;
	__u64 idle_ns;
	__u64 longest_ns;
	char comm[LS_COMM_BYTES];
};

struct ls_loop_found {
	struct ls_header h;
	__u32 flags;
	__u32 poll_syscall;
	__s32 poll_fd; /* -1: none */
	__u32 rank;
	char comm[LS_COMM_BYTES];
	char process_comm[LS_COMM_BYTES];
};

/* LS_RECORD_CANDIDATE; h.slot and h.generation are not used. */
struct ls_candidate {
	struct ls_header h;
	__u32 poll_syscall;
	__s32 poll_fd; /* -1: none */
	__u32 weak;    /* poll, select */
	__u32 pad;
	char process_comm[LS_COMM_BYTES];
};

#ifdef __cplusplus
static_assert(sizeof(struct ls_header) == 24);
static_assert(sizeof(struct ls_part) == 16);
static_assert(sizeof(struct ls_fd) == 80 + LS_PATH_BYTES);
static_assert(sizeof(struct ls_wait) % 8 == 0);
static_assert(sizeof(struct ls_gil_wait) == 72 + 16 * LS_PYTHON_FRAMES);
static_assert(sizeof(struct ls_candidate) == 56);
#else
_Static_assert(sizeof(struct ls_header) == 24, "ls_header");
_Static_assert(sizeof(struct ls_part) == 16, "ls_part");
_Static_assert(sizeof(struct ls_fd) == 80 + LS_PATH_BYTES, "ls_fd");
_Static_assert(sizeof(struct ls_wait) % 8 == 0, "ls_wait");
_Static_assert(sizeof(struct ls_gil_wait) == 72 + 16 * LS_PYTHON_FRAMES, "ls_gil_wait");
_Static_assert(sizeof(struct ls_candidate) == 56, "ls_candidate");
#endif
