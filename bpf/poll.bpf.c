// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The loop's own poll calls: where iterations begin and end. Attached to syscalls:sys_enter_* and sys_exit_* of each poll call
 * (user space does it: one program, several tracepoints), or, without tracefs, to raw_syscalls.
 *
 * Of epoll calls only the beginning is hooked: a busy loop makes them all the time, and a hook costs more than all that is done
 * in it. The next iteration is taken to begin with the call. Should the thread go to sleep in it, that was none (loop_away), and
 * it begins with the wake-up; whether a thread that leaves the CPU is still in the call is in its registers (in_own_poll). Of
 * poll() and its like it is not: they may end for a signal, to be taken up again by restart_syscall. */
#include "lib/discover.bpf.h"

static __always_inline int enter_own_poll(s32 slot, struct ls_loop *loop, u64 now, u8 shape)
{
	if (!loop)
		return 0;
	begin_change(loop);
	if (loop->iteration_start_ns && !end_healthy_iteration(loop, now))
		end_iteration(slot, loop, now, LS_ENDED_BY_POLL);
	if (!loop->idle_since_ns)
		loop->idle_since_ns = now;
	loop->flags |= LS_LOOP_IN_OWN_POLL;
	loop->flags &= ~(LS_LOOP_RESTART | LS_LOOP_PROVISIONAL | LS_LOOP_LEFT_CPU);
	loop->candidate_poll_count = 0;
	if (shape == LS_SHAPE_EPOLL)
		begin_iteration(loop, now);
	end_change(loop);
	return 0;
}

/* Whether a thread that was no loop so far becomes one by this call. */
static __noinline bool becomes_loop(struct task_struct *task, struct ls_thread *thread, u32 rank, u64 sp, u32 nr)
{
	struct ls_target *target;
	bool main_thread, again;

	if (!task || !thread)
		return false;
	target = bpf_map_lookup_elem(&targets, &thread->pid);
	if (target && (target->flags & LS_TARGET_POOL))
		return false;
	again = thread->candidate_poll_sp == sp && thread->candidate_poll_syscall == nr;
	/* libuv hands changes of its epoll descriptor to an io_uring, waits for their results there, and then in epoll_wait(). */
	if (rank == LS_RANK_STRONG && (again || shape_of(nr) != LS_SHAPE_URING))
		return true;
	if (target && target->forced_tid == thread->tid)
		return rank >= LS_RANK_SINGLE;
	if (rank < LS_RANK_FEW)
		return false;
	thread->candidate_poll_sp = sp;
	thread->candidate_poll_syscall = nr;
	if (rank == LS_RANK_STRONG)
		return false;
	main_thread = thread->tid == thread->pid;
	/* Nobody asked for this process: what a shell or a pager does at its terminal, in poll() on one descriptor, is no loop. */
	if (target && (target->flags & LS_TARGET_FOUND))
		return main_thread && again && rank == LS_RANK_MANY;
	if (main_thread && rank == LS_RANK_MANY)
		return true;
	/* One descriptor, or not the main thread: once more from the same place, and in a process without a better loop. */
	if (main_thread)
		return again;
	return again && target && (target->flags & LS_TARGET_WEAK);
}

static __noinline int poll_enter(struct task_struct *task, struct ls_call *call)
{
	struct ls_thread *thread;
	struct ls_loop *loop;
	u64 now, sp;
	u32 rank;
	s32 slot;

	if (!task || !call)
		return 0;
	thread = kept_of(task);
	if (!thread)
		return 0;
	now = bpf_ktime_get_ns();
	catch_up(task, thread, now);
	slot = thread->slot;
	loop = loop_at(slot);
	if (loop)
		loop->flags &= ~LS_LOOP_IN_OWN_POLL; /* the one before has ended */
	if (!call_polls(call))
		return 0;
	sp = stack_pointer((struct pt_regs *)bpf_task_pt_regs(task));
	if (loop &&
	    (is_own_poll(loop, call, sp) || is_own_poll_shifted(loop, slot, call->nr, sp) || is_own_poll_moved(loop, call, sp))) {
		learn_poll_place(loop, slot, call);
		enter_own_poll(slot, loop, now, call->shape);
		return 0;
	}
	rank = rank_of_poll(bpf_get_current_task(), call);
	if (loop && loop->rank) {
		if (!supersedes(bpf_get_current_task(), loop, call, sp, rank))
			return 0;
	} else if (!becomes_loop(task, thread, rank, sp, (u32)call->nr)) {
		return 0;
	}
	if (!loop) {
		slot = open_loop(task, thread, now, 0);
		loop = loop_at(slot);
	}
	if (!loop || (!loop->rank && !claim_rank(loop, rank)))
		return 0;
	/* The time until now was an iteration of whatever came before (start-up, the previous loop). It is reported after the loop.
	 */
	begin_change(loop);
	set_own_poll(loop, call, sp, rank);
	learn_poll_place(loop, slot, call);
	end_change(loop);
	announce_loop(task, thread, slot, loop);
	enter_own_poll(slot, loop, now, call->shape);
	return 0;
}

#define ERESTART_RESTARTBLOCK 516

static __always_inline int poll_exit(struct task_struct *task, s64 ret)
{
	struct ls_thread *thread;
	struct ls_loop *loop;
	s32 slot;

	if (!task)
		return 0;
	loop = running_loop(task, &slot, &thread);
	if (!loop || !(loop->flags & LS_LOOP_IN_OWN_POLL))
		return 0;
	begin_change(loop);
	loop->flags &= ~LS_LOOP_IN_OWN_POLL;
	if (ret == -ERESTART_RESTARTBLOCK)
		loop->flags |= LS_LOOP_RESTART;
	/* After a sleep it began with the wake-up. Without one there was something to do all the time. */
	if (!loop->iteration_start_ns)
		begin_iteration(loop,
		                (loop->flags & LS_LOOP_LEFT_CPU) || !loop->idle_since_ns ? bpf_ktime_get_ns() : loop->idle_since_ns);
	end_change(loop);
	return 0;
}

/* Of a thread that is followed, or that some BPF program keeps something else for. */
static __always_inline int known_poll_enter(struct task_struct *task, s64 nr, s32 fd)
{
	struct ls_loop *loop;
	struct ls_call call;
	s32 slot;
	u64 now;

	if (!task)
		return 0;
	slot = cached_slot(task);
	loop = loop_at(slot);
	/* First a healthy loop, which comes by here all the time: its own epoll descriptor again. */
	if (loop && loop->rank == LS_RANK_STRONG && loop->poll_fd >= 0 && shape_of(nr) == LS_SHAPE_EPOLL && loop->poll_fd == fd) {
		now = bpf_ktime_get_ns();
		catch_up_loop(task, slot, loop, now);
		return enter_own_poll(slot, loop, now, LS_SHAPE_EPOLL);
	}
	if (!kept_of(task))
		return knobs.discover ? discover(task, nr) : 0;
	/* From the registers, not from the context: a program may read no further in it than each of its calls has arguments. */
	read_call((struct pt_regs *)bpf_task_pt_regs(task), &call);
	call.nr = nr;
	call.shape = shape_of(nr);
	return poll_enter(task, &call);
}

/* Everybody's poll calls come by here: those that are not followed leave first. */
SEC("tracepoint")
int on_poll_enter(struct ls_sys_enter *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (may_be_followed(task))
		return known_poll_enter(task, ctx->id, (s32)ctx->first);
	return knobs.discover ? discover(task, ctx->id) : 0;
}

static __noinline int restart(struct task_struct *task)
{
	struct ls_thread *thread;
	struct ls_loop *loop;
	s32 slot;

	if (!task)
		return 0;
	loop = running_loop(task, &slot, &thread);
	if (!loop)
		return 0;
	loop->flags &= ~LS_LOOP_IN_OWN_POLL;
	return loop->flags & LS_LOOP_RESTART ? enter_own_poll(slot, loop, bpf_ktime_get_ns(), LS_SHAPE_RESTART) : 0;
}

/* restart_syscall: an interrupted poll call goes on. */
SEC("tracepoint")
int on_restart(struct ls_sys_enter *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return may_be_followed(task) ? restart(task) : 0;
}

SEC("tracepoint")
int on_poll_exit(struct ls_sys_exit *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return may_be_followed(task) ? poll_exit(task, ctx->ret) : 0;
}

/* Without tracefs: every system call of the host comes by here. */
SEC("?tp_btf/sys_enter")
int BPF_PROG(on_any_enter, struct pt_regs *regs, long id)
{
	struct task_struct *task;
	struct ls_call call;
	u8 shape = shape_of(id);

	if (shape < LS_SHAPE_POLL)
		return 0;
	task = bpf_get_current_task_btf();
	if (!thread_of(task))
		return knobs.discover ? discover(task, id) : 0;
	if (shape == LS_SHAPE_RESTART)
		return restart(task);
	read_call(regs, &call);
	call.nr = id;
	call.shape = shape;
	return poll_enter(task, &call);
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(on_any_exit, struct pt_regs *regs, long ret)
{
	if (shape_of(syscall_of(regs)) < LS_SHAPE_POLL)
		return 0;
	return poll_exit(bpf_get_current_task_btf(), ret);
}
