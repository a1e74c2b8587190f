// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A snapshot of every thread of the followed processes, for user space to read from an iterator. The first snapshot of a thread
 * is what begins to follow it. Kernel memory only: the threads are not `current` here, their user memory is read by user space.
 */
#include "lib/adopt.bpf.h"

/* An own poll call that a thread was asleep in when it was first seen, in so far as it is certain: epoll and its like. */
static __noinline int adopt_asleep(struct task_struct *task, struct ls_thread *thread, struct ls_call *call, u64 sp, u32 rank)
{
	u64 now = bpf_ktime_get_ns();
	struct ls_loop *loop;
	s32 slot;

	if (!task || !thread || !call || !call_polls(call))
		return 0;
	slot = thread->slot;
	if (slot < 0)
		slot = open_loop(task, thread, now, 0);
	loop = loop_at(slot);
	if (!loop || !claim_rank(loop, rank))
		return 0;
	begin_change(loop);
	loop->iteration_start_ns = 0;
	reset_account(loop);
	set_own_poll(loop, call, sp, rank);
	loop->flags = LS_LOOP_IN_OWN_POLL | LS_LOOP_LEFT_CPU;
	loop->idle_since_ns = now;
	loop->off_since_ns = now;
	loop->off_cause = LS_CAUSE_none;
	end_change(loop);
	announce_loop(task, thread, slot, loop);
	return 0;
}

/* The poll call that the thread was asleep in is one inside a callback, on a descriptor of its own: the loop is on `fd`. What is
 * known of that call is read from outside, as below. */
static __noinline int correct_poll(struct task_struct *task, struct ls_thread *thread, struct ls_call *call, s32 fd)
{
	u64 now = bpf_ktime_get_ns();
	struct ls_loop *loop;

	if (!task || !thread || !call)
		return 0;
	loop = loop_at(thread->slot);
	if (!loop)
		return 0;
	begin_change(loop);
	loop->poll_fd = fd;
	loop->poll_sp = ~0ULL; /* further out than any call that is seen now */
	loop->flags = LS_LOOP_BEFORE_ATTACH;
	reset_account(loop);
	loop->idle_since_ns = 0;
	begin_iteration(loop, now);
	loop->off_since_ns = now;
	loop->woken_at_ns = 0;
	loop->off_syscall = (s32)call->nr;
	loop->off_cause = LS_CAUSE_poll;
	end_change(loop);
	announce_loop(task, thread, thread->slot, loop);
	return 0;
}

/* A thread whose time counts although it has not been seen polling. What it waits for now cannot be captured from here; user
 * space reads it live, and puts right the cause of a poll call, whose descriptors are in memory that is not ours. */
static __noinline int adopt_provisional(struct task_struct *task, struct ls_thread *thread, struct ls_call *call, u32 state,
                                        u32 flags)
{
	u64 now = bpf_ktime_get_ns();
	struct ls_loop *loop;
	s32 slot;

	if (!task || !thread || !call)
		return 0;
	slot = open_provisional(task, thread, now, LS_LOOP_BEFORE_ATTACH | flags);
	loop = loop_at(slot);
	if (!loop)
		return 0;
	if (state != TASK_RUNNING) {
		begin_change(loop);
		loop->off_since_ns = now;
		loop->off_syscall = (s32)call->nr;
		if (task_stopped(task, state))
			loop->off_cause = LS_CAUSE_stopped;
		else if (call->shape == LS_SHAPE_POLL || call->shape == LS_SHAPE_SELECT || call->shape == LS_SHAPE_EPOLL)
			loop->off_cause = LS_CAUSE_poll;
		else
			loop->off_cause = cause_of_call(address_of(task), call);
		end_change(loop);
	}
	announce_loop(task, thread, slot, loop);
	return 0;
}

/* The process that a snapshot is wanted of; 0: all followed ones. */
volatile __u32 wanted_process = 0;
/* Threads that could not be adopted, of this walk. */
volatile __u32 unadopted = 0;

SEC("iter/task")
int snapshot(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct ls_target *target;
	struct ls_thread *thread;
	struct ls_loop *loop;
	struct ls_snapshot *view;
	struct pt_regs *regs;
	struct ls_call call = {};
	u32 process, zero = 0, state;
	bool adopted = false, asleep;
	long bytes;
	u64 now;

	if (!task)
		return 0;
	process = process_of(task);
	if (wanted_process && process != wanted_process)
		return 0;
	target = bpf_map_lookup_elem(&targets, &process);
	if (!target)
		return 0;
	if (!task->mm || BPF_CORE_READ(task, flags) & PF_EXITING)
		return 0;
	view = bpf_map_lookup_elem(&snapshots, &zero);
	if (!view)
		return 0;
	now = bpf_ktime_get_ns();
	state = task_state(task);
	asleep = state && task_asleep(task);
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	read_call(regs, &call);
	thread = thread_of(task);
	if (!thread) {
		thread = adopt(task, process, target->flags, now);
		if (!thread) {
			unadopted++;
			return 0;
		}
		adopted = true;
		if (asleep) {
			thread->off_since_ns = now;
			if (call.shape == LS_SHAPE_EPOLL || call.shape == LS_SHAPE_URING)
				adopt_asleep(task, thread, &call, stack_pointer(regs), LS_RANK_STRONG);
		}
	} else if (asleep && target->adopt_tid == thread->tid) {
		if (target->adopt_fd)
			correct_poll(task, thread, &call, target->adopt_fd);
		else
			adopt_asleep(task, thread, &call, stack_pointer(regs), target->adopt_rank);
	}
	if (thread->slot < 0 &&
	    ((adopted && thread->tid == process && (target->flags & (LS_TARGET_FOUND | LS_TARGET_SERVER)) != LS_TARGET_FOUND) ||
	     target->forced_tid == thread->tid))
		adopt_provisional(task, thread, &call, asleep ? state : TASK_RUNNING,
		                  target->forced_tid == thread->tid ? LS_LOOP_FORCED : 0);
	view->pid = process;
	view->tid = thread->tid;
	view->slot = thread->slot;
	view->state = asleep ? state : 0;
	view->now_ns = now;
	loop = loop_at(thread->slot);
	view->off_since_ns = loop ? loop->off_since_ns : thread->off_since_ns;
	/* Its own count, which no hook of ours has to be attached for: the same twice, and it did not run in between. */
	view->switches = BPF_CORE_READ(task, nvcsw) + BPF_CORE_READ(task, nivcsw);
	view->syscall = call.nr;
	for (u32 i = 0; i < 6; i++)
		view->args[i] = call.args[i];
	view->thread_pointer = LS_THREAD_POINTER(task);
	view->start_boottime_ns = BPF_CORE_READ(task, start_boottime);
	view->shape = call.shape;
	view->cause = loop ? loop->off_cause : thread->off_cause;
	view->on_cpu = BPF_CORE_READ(task, on_cpu);
	view->adopted = adopted;
	bpf_core_read_str(view->comm, LS_COMM_BYTES, &task->comm);
	read_register_file(regs, view->regs.r);
	view->kernel_frames = 0;
	if (asleep) {
		bytes = bpf_get_task_stack(task, view->kernel, sizeof(view->kernel), 0);
		if (bytes > 0)
			view->kernel_frames = (u32)bytes / 8;
		view->cause = task_stopped(task, state) ? LS_CAUSE_stopped : LS_CAUSE_none;
	}
	if (call.shape == LS_SHAPE_FD)
		describe_fd(address_of(task), (s32)call.args[0], &view->fd);
	else
		clear_fd(&view->fd, -1);
	bpf_seq_write(ctx->meta->seq, view, sizeof(*view));
	return 0;
}
