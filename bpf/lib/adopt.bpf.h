/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which threads are followed, and which of them are loops. */
#pragma once

#include "loop.bpf.h"

static __always_inline void read_comms(struct task_struct *task, char *comm, char *process_comm)
{
	bpf_core_read_str(comm, LS_COMM_BYTES, &task->comm);
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	bpf_core_read_str(process_comm, LS_COMM_BYTES, &leader->comm);
}

/* Takes a free slot for a thread of that process, -1 when there is none. The last ones of the table are for processes that have
 * few: a tenant with a thousand loop threads does not keep others from being followed. Free ones are taken from the front, so
 * whoever comes to the last ones has passed all others. */
LS_FUNCTION s32 take_slot(u32 process)
{
	u64 of_process = 0;

	for (u64 i = 0; i < LS_SLOTS_MAX; i++) {
		struct ls_loop *loop;
		u32 key = i;

		/* The verifiers up to 6.12 forget numbers of 32 bits that are on the stack, as keys are: not to be the one that counts.
		 */
		barrier_var(key);
		if (key >= knobs.slots)
			break;
		loop = bpf_map_lookup_elem(&loops, &key);
		if (!loop)
			continue;
		if (!loop->in_use) {
			if (knobs.slot_share && key + knobs.free_slots >= knobs.slots && of_process >= knobs.slot_share)
				break;
			if (__sync_val_compare_and_swap(&loop->in_use, 0, 1) == 0)
				return key;
		}
		/* One more where they are equal; without a branch, which would double the ways that the verifier goes each time around.
		 */
		of_process += ((u64)(loop->pid ^ process) - 1) >> 63;
	}
	count_loss(LS_LOSS_no_slot);
	return -1;
}

/* A slot for the thread, which nobody finds by the thread before announce_loop(): its poll call, if known, is for the caller to
 * fill in. -1: there is none, or somebody else is at it, as the thread itself may enter its poll call while it is adopted from
 * another CPU. */
static __noinline s32 open_loop(struct task_struct *task, struct ls_thread *thread, u64 now, u32 flags)
{
	struct ls_loop *loop;
	s32 slot;

	if (!task || !thread)
		return -1;
	if (__sync_val_compare_and_swap(&thread->slot, LS_NO_SLOT, LS_SLOT_CLAIMED) != LS_NO_SLOT)
		return -1;
	slot = take_slot(thread->pid);
	loop = loop_at(slot);
	if (!loop) {
		thread->slot = LS_NO_SLOT;
		return -1;
	}
	begin_change(loop);
	loop->generation++;
	loop->pid = thread->pid;
	loop->tid = thread->tid;
	loop->flags = flags;
	loop->rank = LS_RANK_NONE;
	loop->poll_syscall = 0;
	loop->poll_fd = -1;
	loop->poll_sp = 0;
	loop->poll_place = 0;
	loop->poll_set = 0;
	loop->followed_ns = now;
	loop->iteration = 0;
	loop->iteration_start_ns = 0;
	loop->idle_since_ns = 0;
	loop->off_since_ns = thread->off_since_ns;
	loop->woken_at_ns = thread->woken_at_ns;
	loop->off_cause = LS_CAUSE_none;
	loop->off_syscall = -1;
	loop->thread_pointer = LS_THREAD_POINTER(task);
	loop->open_run = 0;
	loop->tokens = knobs.capture_burst;
	loop->tokens_ns = now;
	loop->candidate_poll_count = 0;
	loop->iterations = loop->busy_ns = loop->idle_total_ns = loop->longest_ns = loop->run_delay_ns = 0;
	reset_account(loop);
	for (u32 i = 0; i < LS_CAUSES; i++)
		loop->total[i].ns = loop->total[i].count = 0;
	loop->poll_delay_ns = 0;
	__builtin_memset(loop->iteration_histogram, 0, sizeof(loop->iteration_histogram));
	__builtin_memset(loop->poll_delay_histogram, 0, sizeof(loop->poll_delay_histogram));
	loop->kernel_pid = task->pid;
	end_change(loop);
	return slot;
}

/* To the thread's own hooks, which from here on write what is in the slot, and to user space. */
static __noinline int announce_loop(struct task_struct *task, struct ls_thread *thread, s32 slot, struct ls_loop *loop)
{
	struct ls_loop_found *record;
	u32 flags, rank, poll_syscall;
	s32 poll_fd;

	if (!task || !thread || !loop)
		return 0;
	/* Before the thread finds it: it may run on another CPU, come to its poll call, and announce that itself. */
	flags = loop->flags;
	rank = loop->rank;
	poll_syscall = loop->poll_syscall;
	poll_fd = loop->poll_fd;
	barrier();
	*(volatile s32 *)&thread->slot = slot;
	slot_cache[(u32)task->pid % LS_SLOT_CACHE] = (u64)(u32)task->pid << 32 | (u32)slot;
	record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
	if (!record) {
		count_loss(LS_LOSS_ringbuf_full);
		return 0;
	}
	fill_header(&record->h, LS_RECORD_LOOP, slot, loop, bpf_ktime_get_ns());
	record->flags = flags;
	record->poll_syscall = poll_syscall;
	record->poll_fd = poll_fd;
	record->rank = rank;
	__builtin_memset(record->comm, 0, sizeof(record->comm));
	__builtin_memset(record->process_comm, 0, sizeof(record->process_comm));
	read_comms(task, record->comm, record->process_comm);
	bpf_ringbuf_submit(record, wake_flags());
	return 0;
}

/* The thread runs, and is no loop any more. */
static __always_inline void close_loop(struct ls_thread *thread, struct ls_loop *loop)
{
	u64 *cached = &slot_cache[loop->kernel_pid % LS_SLOT_CACHE];

	if (*cached == ((u64)loop->kernel_pid << 32 | (u32)thread->slot))
		*cached = 0;
	thread->off_since_ns = thread->woken_at_ns = 0;
	begin_change(loop);
	loop->flags = 0;
	loop->off_since_ns = loop->iteration_start_ns = loop->idle_since_ns = 0;
	loop->generation++;
	end_change(loop);
	thread->slot = LS_NO_SLOT;
	loop->in_use = 0;
}

/* Begins to follow a thread that is not followed yet. Main threads get a provisional slot at once: their time counts from now on,
 * whether or not they come to a poll call. 0: the kernel gave no storage, or its lock is held on this CPU by another program that
 * was interrupted. */
static __noinline struct ls_thread *adopt(struct task_struct *task, u32 process, u32 target_flags, u64 now)
{
	struct ls_thread fresh = {
	    .slot = LS_NO_SLOT, .pid = process, .flags = target_flags, .followed_ns = now, .off_cause = LS_CAUSE_none};

	if (!task)
		return 0;
	fresh.tid = pid_of(task);
	/* All at once: the thread's own hooks may run on another CPU, and take it for followed as soon as there is storage. */
	return bpf_task_storage_get(&threads, task, &fresh, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

/* As open_loop(), of a thread whose time counts from now on. */
static __always_inline s32 open_provisional(struct task_struct *task, struct ls_thread *thread, u64 now, u32 flags)
{
	s32 slot = open_loop(task, thread, now, LS_LOOP_PROVISIONAL | flags);
	struct ls_loop *loop = loop_at(slot);

	if (loop) {
		begin_change(loop);
		begin_iteration(loop, now);
		end_change(loop);
	}
	return slot;
}

/* Follows a thread's time from now on, whatever it does. */
static __always_inline void follow_provisionally(struct task_struct *task, struct ls_thread *thread, u64 now)
{
	s32 slot = open_provisional(task, thread, now, 0);

	announce_loop(task, thread, slot, loop_at(slot));
}

/* How likely a poll call is a loop's own. Reads user memory: `current` only. */
LS_FUNCTION u32 rank_of_poll(u64 task, struct ls_call *call)
{
	struct ls_fd_list fds = {};
	u32 total;

	if (!call)
		return LS_RANK_NONE;
	if (call->shape == LS_SHAPE_EPOLL || call->shape == LS_SHAPE_URING)
		return LS_RANK_STRONG;
	total = call_fds(task, call, &fds);
	if (!total)
		return LS_RANK_NONE;
	if (total > 1)
		return LS_RANK_MANY;
	return is_connected_socket(task, fds.fd[0]) ? LS_RANK_SINGLE : LS_RANK_FEW;
}

#define IORING_ENTER_GETEVENTS 1

/* io_uring_enter(fd, to_submit, min_complete, flags, …): a poll call only when it waits. */
static __always_inline bool call_polls(struct ls_call *call)
{
	if (call->shape == LS_SHAPE_URING)
		return call->nr != LS_NR_IO_URING_ENTER || ((call->args[3] & IORING_ENTER_GETEVENTS) && call->args[2]);
	return call->shape == LS_SHAPE_EPOLL || call->shape == LS_SHAPE_POLL || call->shape == LS_SHAPE_SELECT;
}

static __always_inline s32 poll_fd_of(struct ls_call *call)
{
	return call->shape == LS_SHAPE_EPOLL || (call->shape == LS_SHAPE_URING && call->nr == LS_NR_IO_URING_ENTER)
	           ? (s32)call->args[0]
	           : -1;
}

static __always_inline bool is_own_poll(struct ls_loop *loop, struct ls_call *call, u64 sp)
{
	if (!loop->rank)
		return false;
	if (call->shape == LS_SHAPE_EPOLL ||
	    call->shape == LS_SHAPE_URING) /* epoll_wait, _pwait and _pwait2 take turns in one loop */
		return loop->rank == LS_RANK_STRONG && loop->poll_fd == poll_fd_of(call);
	return loop->poll_syscall == (u32)call->nr && loop->poll_sp == sp;
}

#define POLL_SET_FDS 16 /* of a poll() call, those that count in its set */

/* Names the descriptors that a poll() or select() waits on, by their numbers; 0: not known, or none. `current` only. */
LS_FUNCTION u64 poll_set_of(struct ls_call *call)
{
	struct {
		s32 fd;
		u32 events;
	} polled[POLL_SET_FDS] = {};
	u64 set = 0, bits;
	u32 bytes;

	if (!call)
		return 0;
	if (call->shape == LS_SHAPE_SELECT) {
		for (u32 word = 0; word < SELECT_WORDS; word++) {
			bits = word * 64 < call->args[0] ? select_word(call, word) : 0;
			set = (set ^ bits) * 0x9e3779b97f4a7c15ULL;
		}
		return set;
	}
	if (call->shape != LS_SHAPE_POLL || !call->args[1])
		return 0;
	bytes = call->args[1] < POLL_SET_FDS ? (u32)call->args[1] * sizeof(polled[0]) : sizeof(polled);
	barrier_var(bytes); /* the verifier is to see the bound of what is read */
	if (bytes > sizeof(polled) || bpf_probe_read_user(polled, bytes, (void *)call->args[0]))
		return 0;
	set = call->args[1] * 0x9e3779b97f4a7c15ULL; /* before the first number: one of 4 is not two of 7 and another */
	for (u32 i = 0; i < POLL_SET_FDS; i++)
		set = (set ^ (u32)polled[i].fd) * 0x9e3779b97f4a7c15ULL; /* those beyond the count are 0 each time */
	return set;
}

/* The same call on the same descriptors from another place is the same loop: one that has a warm-up loop first, say, or goes
 * round inside a dialog's function. */
LS_FUNCTION int is_own_poll_moved(struct ls_loop *loop, struct ls_call *call, u64 sp)
{
	if (!loop || !call || !loop->poll_set || loop->poll_syscall != (u32)call->nr || poll_set_of(call) != loop->poll_set)
		return 0;
	loop->poll_sp = sp;
	return 1;
}

/* For poll() and select() the stack pointer is not all: CPython 3.11 and newer make the same call over fewer C frames once they
 * are warm, and over more when they give an assumption up. Their innermost frame is the same one then. Own calls teach it. */
LS_FUNCTION int learn_poll_place(struct ls_loop *loop, s32 slot, struct ls_call *call)
{
	if (!loop || !call || loop->rank == LS_RANK_STRONG)
		return 0;
	loop->poll_set = poll_set_of(call);
	loop->poll_place = python_place(config_of(slot, loop), loop->thread_pointer);
	return 0;
}

LS_FUNCTION int is_own_poll_shifted(struct ls_loop *loop, s32 slot, u64 nr, u64 sp)
{
	if (!loop || !loop->rank || loop->poll_syscall != (u32)nr || !loop->poll_place)
		return 0;
	if (python_place(config_of(slot, loop), loop->thread_pointer) != loop->poll_place)
		return 0;
	loop->poll_sp = sp;
	return 1;
}

/* A loop that has no poll call of its own gets its first: from the thread itself, or from who sees it asleep in one, on another
 * CPU. False: the other one was first. */
static __always_inline bool claim_rank(struct ls_loop *loop, u32 rank)
{
	return __sync_val_compare_and_swap(&loop->rank, LS_RANK_NONE, rank) == LS_RANK_NONE;
}

static __always_inline void set_own_poll(struct ls_loop *loop, struct ls_call *call, u64 sp, u32 rank)
{
	loop->rank = rank;
	loop->poll_syscall = (u32)call->nr;
	loop->poll_fd = poll_fd_of(call);
	loop->poll_sp = sp;
	loop->poll_place = 0;
	loop->poll_set = 0;
	loop->candidate_poll_count = 0;
}

/* A candidate is taken for the thread's own poll call once it came that often in a row, without the old one in between: soon when
 * it lies further out in the stack than the old one, late when it lies deeper, as calls made inside callbacks do. */
#define CANDIDATE_OUTER_COUNT 3
#define CANDIDATE_INNER_COUNT 64
#define CANDIDATE_INNER_NS 2000000000ULL

/* Whether a poll call that is not the thread's own so far should become it. One sighting is not enough: a callback's poll call
 * can have any stack pointer, only the loop's own comes back every time around. */
LS_FUNCTION int supersedes(u64 task, struct ls_loop *loop, struct ls_call *call, u64 sp, u32 rank)
{
	u64 now = bpf_ktime_get_ns();

	if (!loop || !call)
		return false;
	if (rank > loop->rank && rank == LS_RANK_STRONG)
		return true;
	if (rank < loop->rank || rank < LS_RANK_FEW)
		return false;
	if (rank == LS_RANK_STRONG && loop->poll_fd >= 0 && call->shape == LS_SHAPE_EPOLL && !is_open_epoll(task, loop->poll_fd))
		return true; /* the old loop is closed */
	if (loop->candidate_poll_sp != sp || loop->candidate_poll_syscall != (u32)call->nr) {
		loop->candidate_poll_sp = sp;
		loop->candidate_poll_syscall = (u32)call->nr;
		loop->candidate_poll_count = 0;
		loop->candidate_poll_since_ns = now;
	}
	loop->candidate_poll_count++;
	if (sp >= loop->poll_sp)
		return loop->candidate_poll_count >= CANDIDATE_OUTER_COUNT;
	return loop->candidate_poll_count >= CANDIDATE_INNER_COUNT && now - loop->candidate_poll_since_ns >= CANDIDATE_INNER_NS;
}
