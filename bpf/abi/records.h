/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The contract between kernel and user side: what is in the ring buffer, in the mapped tables, in the iterator's output.
 * Plain C, fixed widths, explicit padding. Times are bpf_ktime_get_ns(): CLOCK_MONOTONIC. Pids are those of loopsnoop's own
 * pid namespace. Little-endian, x86-64. */
#pragma once

#include <linux/types.h>

#include "sizes.h"

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
	LS_LOOP_PROVISIONAL = 1, /* a main thread that has not come to a poll call yet */
	LS_LOOP_FORCED = 2,      /* --tid */
	LS_LOOP_IN_OWN_POLL = 4,
	LS_LOOP_BEFORE_ATTACH = 8, /* the running iteration began before the thread was followed */
	LS_LOOP_RESTART = 16,      /* the own poll call was interrupted and will go on in restart_syscall */
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

struct ls_part {
	__u64 ns;
	__u64 count;
};

struct ls_regs { /* DWARF numbering: rax rdx rcx rbx rsi rdi rbp rsp r8..r15 rip */
	__u64 r[17];
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

/* LS_RECORD_WAIT, LS_RECORD_SAMPLE, LS_RECORD_WAKER: stack_bytes bytes of user stack follow, from regs.r[7] upward. Of a waker
 * the header and start_ns are the wait's; the registers, frames and the stack are those of the thread in `waker`. */
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
	__u64 waker_kernel[LS_KERNEL_FRAMES]; /* tells a thread that woke from an interrupt that hit it */
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

/* How often a loop's thread may be sampled. */
struct ls_sampling {
	__u64 next_ns;   /* not before */
	__u64 iteration; /* of the last hit */
	__u32 passed;    /* hits of it since the last sample */
	__u32 pad;
};

struct ls_iteration {
	struct ls_header h;
	__u64 iteration;
	__u64 start_ns;
	__u64 end_ns;
	__u32 flags;    /* enum ls_loop_flags as they were */
	__u32 ended_by; /* 0: poll call; 1: the thread or process ended; 2: exec */
	struct ls_part account[LS_CAUSES];
};

struct ls_life { /* LS_RECORD_FORK, _EXEC, _EXIT; slot is 0xffff when the thread has none */
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

/* What user space tells the kernel about the occupant of a slot; valid while `generation` is the slot's. */
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
	__u64 poll_place; /* of poll() and select() in CPython: the innermost frame and its code; 0: not known */
	__u64 followed_ns;
	__u64 iteration;
	__u64 iteration_ns; /* start of the running iteration, 0: idle in its own poll call */
	__u64 idle_ns;      /* start of the idle time, 0: not idle */
	__u64 off_ns;       /* off CPU since, 0: on CPU */
	__u64 wake_ns;      /* woken at, 0: not */
	__u64 queued_ns;    /* the kernel's own account of its run-queue time when it went off CPU */
	__u32 off_cause;
	__s32 off_syscall;
	__u64 call_start_ns; /* of a hooked call, 0: none */
	__u64 fs_base;
	/* The wait record in the capture table covers waits in a row of one stack. */
	__u32 group; /* 1: there is a group in the capture table */
	__u32 slept; /* 1: the running iteration's account has more than time on the run queue */
	__u64 tokens;
	__u64 tokens_ns;
	__u64 small_ns; /* waited since a wait with a stack was last sent */
	__u64 rival_sp; /* another poll call that might be the thread's own */
	__u64 rival_ns;
	__u32 rival_syscall;
	__s32 rival_fd;
	__u32 rival_count;
	__u32 kernel_pid; /* the thread's number as the kernel has it */
	struct ls_waker waker;
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

/* LS_RECORD_CANDIDATE; h.slot and h.generation are not used. */
struct ls_candidate {
	struct ls_header h;
	__u32 poll_syscall;
	__s32 poll_fd; /* -1: none */
	__u32 weak;    /* poll, select */
	__u32 pad;
	char process_comm[LS_COMM_BYTES];
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
struct ls_look {
	__u32 pid;
	__u32 tid;
	__u32 slot;  /* 0xffffffff: none */
	__u32 state; /* task state bits, 0: runnable */
	__u64 now_ns;
	__u64 off_ns; /* off CPU since; 0: running, or not known */
	__u64 switches;
	__s64 syscall;
	__u64 args[6];
	__u64 fs_base;
	__u64 start_boottime_ns;
	__u8 cause;
	__u8 shape;
	__u8 on_cpu;
	__u8 adopted; /* this look began to follow it */
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
struct ls_deeds {
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
	__u32 adopt_tid;  /* the next look takes the poll call this thread sleeps in for its own, 0: none */
	__u32 adopt_rank;
};

#ifdef __cplusplus
static_assert(sizeof(struct ls_header) == 24);
static_assert(sizeof(struct ls_part) == 16);
static_assert(sizeof(struct ls_fd) == 80 + LS_PATH_BYTES);
static_assert(sizeof(struct ls_wait) % 8 == 0);
static_assert(sizeof(struct ls_gil_wait) == 72 + 16 * LS_PYTHON_FRAMES);
static_assert(sizeof(struct ls_loop) % 8 == 0);
static_assert(sizeof(struct ls_candidate) == 56);
static_assert(sizeof(struct ls_census) == 48);
#else
_Static_assert(sizeof(struct ls_header) == 24, "ls_header");
_Static_assert(sizeof(struct ls_part) == 16, "ls_part");
_Static_assert(sizeof(struct ls_fd) == 80 + LS_PATH_BYTES, "ls_fd");
_Static_assert(sizeof(struct ls_wait) % 8 == 0, "ls_wait");
_Static_assert(sizeof(struct ls_gil_wait) == 72 + 16 * LS_PYTHON_FRAMES, "ls_gil_wait");
_Static_assert(sizeof(struct ls_loop) % 8 == 0, "ls_loop");
_Static_assert(sizeof(struct ls_candidate) == 56, "ls_candidate");
_Static_assert(sizeof(struct ls_census) == 48, "ls_census");
#endif
