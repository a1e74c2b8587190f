/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Threads that nobody follows, and poll. Each is judged to user space once in a program's life, which says whether its process is
 * to be followed; from then on its poll calls cost one more load, and its switches nothing: what was kept of it is gone but for
 * its number. A thread that never polls leaves nothing here. */
#pragma once

#include "adopt.bpf.h"

#define LS_JUDGED 16384

/* The threads that need no more judging, by their number, as the kernel has it, modulo the size; 0: none. Of two that share a
 * place the first one has it, and the other is known by its task storage. */
__u32 judged[LS_JUDGED] __weak SEC(".bss");

struct ls_poller {
	u64 sp;
	u64 since_ns;
	u32 syscall;
	u32 count;
	u32 judged; /* 1: as those in `judged` */
	u32 polled; /* 1: an epoll call was made, of `fd` */
	s32 fd;
	u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct ls_poller);
} pollers __weak SEC(".maps");

static __always_inline u32 *judged_place(struct task_struct *task) { return &judged[(u32)task->pid % LS_JUDGED]; }

/* The thread has been examined for the last time. */
static __always_inline void judge(struct task_struct *task, struct ls_poller *poller)
{
	u32 *place = judged_place(task);

	poller->judged = 1;
	if (!*place) {
		*place = task->pid;
		bpf_task_storage_delete(&pollers, task);
	}
}

/* It has ended, or has become another program. */
static __always_inline void forget_candidate(struct task_struct *task)
{
	u32 *place = judged_place(task);

	if (*place == (u32)task->pid)
		*place = 0;
	if (task->bpf_storage)
		bpf_task_storage_delete(&pollers, task);
}

/* A loop comes back. Once is what a program does that waits for something by the way; that one which stays asleep in its first
 * call is a loop, too, is for the census to find. poll() and select() are what many commands wait with: from the same place, and
 * for longer. */
#define WEAK_COUNT 4
#define WEAK_NS 1000000000ULL

static __always_inline bool weak_poll_returns(struct ls_poller *poller, struct ls_call *call, u64 sp, u64 now)
{
	struct ls_fd_list fds = {};

	if (poller->sp != sp || poller->syscall != (u32)call->nr) {
		poller->sp = sp;
		poller->syscall = (u32)call->nr;
		poller->since_ns = now;
		poller->count = 0;
	}
	poller->count++;
	if (poller->count < WEAK_COUNT || now - poller->since_ns < WEAK_NS)
		return false;
	return call_fds(bpf_get_current_task(), call, &fds) > 1;
}

static __always_inline bool epoll_returns(struct ls_poller *poller, struct ls_call *call)
{
	s32 fd = poll_fd_of(call);
	bool again = poller->polled && poller->fd == fd;

	/* See becomes_loop(): between two epoll calls of libuv. */
	if (call->shape == LS_SHAPE_URING && poller->polled && !again)
		return false;
	poller->polled = 1;
	poller->fd = fd;
	return again;
}

static __noinline int announce_candidate(struct task_struct *task, struct ls_call *call, u32 weak, u64 now)
{
	struct ls_candidate *record;
	struct task_struct *leader;

	if (!task || !call)
		return 0;
	record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
	if (!record)
		return 0; /* no loss: the next census finds it */
	record->h.type = LS_RECORD_CANDIDATE;
	record->h.slot = 0xffff;
	record->h.generation = 0;
	record->h.time_ns = now;
	record->h.pid = process_of(task);
	record->h.tid = pid_of(task);
	record->poll_syscall = (u32)call->nr;
	record->poll_fd = poll_fd_of(call);
	record->weak = weak;
	record->pad = 0;
	leader = BPF_CORE_READ(task, group_leader);
	__builtin_memset(record->process_comm, 0, sizeof(record->process_comm));
	bpf_core_read_str(record->process_comm, LS_COMM_BYTES, &leader->comm);
	bpf_ringbuf_submit(record, wake_flags());
	return 0;
}

/* `task` is the one that runs, and enters poll call `nr`. */
static __noinline int discover(struct task_struct *task, u32 nr)
{
	struct ls_poller *poller;
	struct ls_call call = {};
	struct pt_regs *regs;
	bool weak;
	u64 now;

	if (!task)
		return 0;
	if (*judged_place(task) == (u32)task->pid)
		return 0;
	poller = bpf_task_storage_get(&pollers, task, 0, 0);
	if (poller && poller->judged)
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	read_call(regs, &call);
	call.nr = nr;
	call.shape = shape_of(nr);
	if (!call_polls(&call))
		return 0;
	weak = call.shape == LS_SHAPE_POLL || call.shape == LS_SHAPE_SELECT;
	if (weak && (task->pid != task->tgid || (call.shape == LS_SHAPE_POLL && call.args[1] < 2)))
		return 0;
	poller = bpf_task_storage_get(&pollers, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!poller)
		return 0; /* as above: the census */
	now = bpf_ktime_get_ns();
	if (weak ? !weak_poll_returns(poller, &call, stack_pointer(regs), now) : !epoll_returns(poller, &call))
		return 0;
	judge(task, poller);
	return announce_candidate(task, &call, weak, now);
}
