/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The waits of one loop thread inside its iterations, from the switch away to the switch back. On that thread's CPU, too. */
#pragma once

#include "iteration.bpf.h"

/* Bounds what captures cost on a thread that sleeps thousands of times a second: a capture takes a token. */
static __always_inline bool has_token(struct ls_loop *loop, u64 now)
{
	u64 passed = now - loop->tokens_ns;

	/* Mostly too early for another one: no division then. */
	if (passed >= knobs.token_ns && knobs.token_ns) {
		u64 earned = passed / knobs.token_ns;

		loop->tokens += earned;
		loop->tokens_ns += earned * knobs.token_ns;
		if (loop->tokens > knobs.capture_burst)
			loop->tokens = knobs.capture_burst;
	}
	return loop->tokens;
}

static __always_inline bool take_token(struct ls_loop *loop, u64 now)
{
	if (!has_token(loop, now))
		return false;
	loop->tokens--;
	return true;
}

/* Whether a sleep without a capture may count with the one before, which had none either. */
static __always_inline bool same_unseen_call(struct ls_wait *wait, s64 nr, u64 first)
{
	return !(wait->flags & LS_WAIT_CAPTURED) && wait->syscall == (s32)nr && wait->args[0] == first;
}

/* A sleep that there is no token for, in the same call, on the same descriptor or word, as the one before, counts with that one:
 * it has its cause, and nothing more has to be read for it. False: it has to be examined. */
static __always_inline bool count_with_last(s32 slot, struct ls_loop *loop, struct pt_regs *regs)
{
	s64 nr = syscall_of(regs);
	u8 shape;
	struct ls_wait *wait;

	if (!loop->open_run || has_token(loop, loop->off_since_ns))
		return false;
	wait = capture_of(slot);
	if (!wait || !same_unseen_call(wait, nr, first_argument(regs)))
		return false;
	/* These name their descriptors in memory; and the one before may have been stopped in the call that this one only waits in.
	 */
	shape = shape_of(nr);
	if (shape == LS_SHAPE_POLL || shape == LS_SHAPE_SELECT || wait->cause == LS_CAUSE_stopped)
		return false;
	count_loss(LS_LOSS_capture_budget);
	loop->off_cause = wait->cause;
	return true;
}

/* The thread goes to sleep inside an iteration: what in, and with which stack. */
static __noinline int begin_wait(u64 task, struct pt_regs *pt, s32 slot, struct ls_loop *loop, struct ls_call *call)
{
	struct ls_wait *wait = capture_of(slot);
	struct ls_slot_config *config;
	u64 now = loop ? loop->off_since_ns : 0;
	u64 key = 0, old_key;
	bool captured;

	if (!loop || !call || !wait || !pt)
		return 0;
	captured = take_token(loop, now);
	if (!captured)
		count_loss(LS_LOSS_capture_budget);
	/* The open run's key is needed after the registers of this wait have taken its place. */
	old_key = loop->open_run ? wait->key : 0;
	struct ls_regs *regs = &wait->regs;

	if (loop->open_run &&
	    (!captured || !(wait->flags & LS_WAIT_CAPTURED) || wait->syscall != (s32)call->nr || wait->cause != loop->off_cause ||
	     wait->regs.r[LS_REGISTER_SP] != stack_pointer(pt) || wait->regs.r[LS_REGISTER_IP] != instruction_pointer(pt))) {
		/* Surely another stack. Without tokens: same call and place count as the same. */
		if (!captured && wait->cause == loop->off_cause && same_unseen_call(wait, call->nr, call->args[0]))
			return 0;
		close_run(slot, loop, 0);
		old_key = 0;
	}
	if (loop->open_run && wait->args[0] != call->args[0]) {
		close_run(slot, loop, 0);
		old_key = 0;
	}
	if (loop->open_run) {
		/* Perhaps the same: the frames decide. They are read over the old ones: equal when the key is. */
		u64 counted = wait->off_ns;
		u64 stack_key;

		config = config_of(slot, loop);
		struct ls_wait *probe = wait;
		u32 cpu = bpf_get_smp_processor_id();

		probe = bpf_map_lookup_elem(&scratch, &cpu);
		if (!probe)
			return 0;
		probe->flags = 0;
		probe->python_frames = 0;
		probe->cause = loop->off_cause;
		probe->syscall = (s32)call->nr;
		read_register_file(pt, probe->regs.r);
		if (config)
			walk_python(config, config->tstate, loop->thread_pointer, probe);
		stack_key = capture_key(probe);
		if (stack_key == old_key && counted)
			return 0;
		close_run(slot, loop, 0);
	}
	init_capture(wait, LS_RECORD_WAIT, slot, loop, now, now);
	wait->syscall = (s32)call->nr;
	wait->cause = loop->off_cause;
	describe_call(task, call, wait);
	if (captured) {
		read_register_file(pt, regs->r);
		config = config_of(slot, loop);
		if (config)
			walk_python(config, config->tstate, loop->thread_pointer, wait);
		key = capture_key(wait);
		copy_stack(wait, loop->thread_pointer);
		wait->flags |= LS_WAIT_CAPTURED;
	}
	wait->key = key;
	loop->open_run = 1;
	return 0;
}

/* The thread runs again after a wait inside an iteration. `task`: as loop_back() has it. */
static __always_inline int end_wait(struct task_struct *task, s32 slot, struct ls_loop *loop, u64 now)
{
	u64 off, delay = 0;
	u32 cause;
	struct ls_wait *wait;

	if (!loop)
		return 0;
	off = now - loop->off_since_ns;
	cause = loop->off_cause;
	if (cause >= LS_CAUSES)
		return 0;
	if (cause == LS_CAUSE_runqueue) {
		loop->account[LS_CAUSE_runqueue].ns += off;
		loop->account[LS_CAUSE_runqueue].count++;
		loop->run_delay_ns += off;
		return 0;
	}
	if (loop->woken_at_ns) {
		/* The waker may have been there before the switch was traced. */
		delay = now - (loop->woken_at_ns > loop->off_since_ns ? loop->woken_at_ns : loop->off_since_ns);
		loop->account[LS_CAUSE_runqueue].ns += delay;
		loop->account[LS_CAUSE_runqueue].count++;
		loop->run_delay_ns += delay;
	}
	_Static_assert(LS_CAUSES <= 16, "the mask below is for 16 causes");
	loop->account[cause & 15].ns += off - delay;
	loop->account[cause & 15].count++;
	loop->slept = 1;
	if (cause == LS_CAUSE_gil)
		end_gil_wait(slot, loop, off - delay);
	wait = capture_of(slot);
	if (!loop->open_run || !wait)
		return 0;
	loop->small_ns += off;
	wait->end_ns = now;
	wait->off_ns += off;
	wait->run_delay_ns += delay;
	wait->count++;
	/* The longest one's waker stands for them all, as on_waking has it. */
	if (loop->woken_at_ns && off - delay >= wait->waker_ns) {
		wait->waker = loop->waker;
		wait->waker_ns = off - delay;
		wait->flags |= LS_WAIT_WAKER;
	}
	/* The dear part, only now that it is worth it: at the switch back the thread's kernel stack is still that of its sleep. */
	if (task && !wait->kernel_frames && wait->off_ns >= knobs.floor_ns) {
		long bytes = bpf_get_task_stack(task, wait->kernel, sizeof(wait->kernel), 0);

		if (bytes > 0)
			wait->kernel_frames = (u32)bytes / 8;
	}
	return 0;
}

/* The thread is back on a CPU since `now`. `task`: while it is being switched to; 0: that was seen only after it had done
 * something else. */
static __always_inline int loop_back(struct task_struct *task, s32 slot, struct ls_loop *loop, u64 now)
{
	if (!loop)
		return 0;
	begin_change(loop);
	/* A program that has only just begun (exec) had no thread pointer when its slot was opened. */
	if (task && !loop->thread_pointer)
		loop->thread_pointer = LS_THREAD_POINTER(task);
	if (loop->off_since_ns && loop->iteration_start_ns && loop->off_cause != LS_CAUSE_none) {
		end_wait(task, slot, loop, now);
	} else if ((loop->flags & LS_LOOP_IN_OWN_POLL) && loop->off_since_ns && !loop->iteration_start_ns) {
		/* The loop has something to do from the moment it was woken. */
		u64 woken = loop->woken_at_ns > loop->off_since_ns ? loop->woken_at_ns : loop->off_since_ns;

		if (loop->woken_at_ns) {
			begin_iteration(loop, woken);
			loop->account[LS_CAUSE_runqueue].ns = now - woken;
			loop->account[LS_CAUSE_runqueue].count = 1;
			loop->run_delay_ns += now - woken;
			loop->poll_delay_ns += now - woken;
			loop->poll_delay_histogram[histogram_bucket(now - woken) & (LS_HISTOGRAM - 1)]++;
		} else if (loop->off_cause == LS_CAUSE_none) {
			begin_iteration(loop, now); /* it slept, and nobody saw who woke it */
		}
	}
	loop->off_since_ns = 0;
	loop->woken_at_ns = 0;
	end_change(loop);
	return 0;
}

/* `queued`: the thread's run-queue time so far. */
LS_FUNCTION int late_back(s32 slot, struct ls_loop *loop, u64 now, u64 queued)
{
	u64 back = now;

	if (!loop)
		return 0;
	if (loop->woken_at_ns)
		back = loop->woken_at_ns > loop->off_since_ns ? loop->woken_at_ns : loop->off_since_ns;
	else if (loop->off_cause == LS_CAUSE_runqueue)
		back = loop->off_since_ns;
	if (queued > loop->queued_ns)
		back += queued - loop->queued_ns;
	count_loss(LS_LOSS_switch_untraced);
	loop_back(0, slot, loop, back < now ? back : now);
	return 0;
}

/* Notices a thread that is followed as off CPU but runs: its switch back was not traced. Some virtual machines hide the switches
 * away from their own agent's tasks, and with them the switch to whatever comes next. When it came back follows from its wake-up
 * and the kernel's own account of its run-queue time. To be called wherever the thread is seen in its own context. */
static __always_inline void catch_up_loop(struct task_struct *task, s32 slot, struct ls_loop *loop, u64 now)
{
	if (loop->off_since_ns)
		late_back(slot, loop, now, run_queue_time(task));
}

/* The loop of the thread that runs here, caught up with, as loop_of() has it. The clock is read only if need be: that takes as
 * long as all else in most hooks. */
static __always_inline struct ls_loop *running_loop(struct task_struct *task, s32 *slot, struct ls_thread **thread)
{
	struct ls_loop *loop = loop_of(task, slot, thread);

	if (loop && loop->off_since_ns)
		late_back(*slot, loop, bpf_ktime_get_ns(), run_queue_time(task));
	return loop;
}

static __always_inline void catch_up(struct task_struct *task, struct ls_thread *thread, u64 now)
{
	struct ls_loop *loop = loop_at(thread->slot);

	if (loop)
		catch_up_loop(task, thread->slot, loop, now);
	else
		thread->off_since_ns = thread->woken_at_ns = 0;
}
