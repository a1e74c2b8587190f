/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The account of one loop thread: iterations, waits in them, and their hand-over to user space. Everything here runs on the CPU
 * of the thread it is about, so nothing is locked; user space reads the table meanwhile and tells by `changes` whether it moved.
 */
#pragma once

#include "gil.bpf.h"

#define LS_STEP_IDS 4096 /* slots a search for a free one looks at */

static __always_inline void begin_change(struct ls_loop *loop)
{
	loop->changes++;
	barrier();
}

static __always_inline void end_change(struct ls_loop *loop)
{
	barrier();
	loop->changes++;
}

static __always_inline struct ls_wait *capture_of(s32 slot)
{
	u32 key = slot;

	return bpf_map_lookup_elem(&captures, &key);
}

/* Sends the group of waits in the capture table, if it is worth it, and empties it. */
LS_FUNCTION int close_group(s32 slot, struct ls_loop *loop, u32 certain)
{
	struct ls_wait *wait = capture_of(slot);
	u64 now = bpf_ktime_get_ns();
	u64 floor = knobs.floor_ns;

	if (!loop || !wait || !loop->group)
		return 0;
	loop->group = 0;
	/* Short waits add up: an iteration that is suspicious already sends more of them. */
	if (certain || (loop->iteration_ns && now - loop->iteration_ns >= knobs.threshold_ns / 2))
		floor /= 8;
	/* Of many that are too short each, one with a stack is sent in a while and stands for them: an fsync loop sleeps in little
	 * pieces, each from a slightly different place, and more often than stacks are taken. */
	if (wait->off_ns < floor && (!(wait->flags & LS_WAIT_CAPTURED) || loop->small_ns < knobs.floor_ns))
		return 0;
	if (wait->flags & LS_WAIT_CAPTURED)
		loop->small_ns = 0;
	fill_header(&wait->h, LS_RECORD_WAIT, slot, loop, now);
	emit_capture(wait);
	return 0;
}

/* The first power of two that is above so many microseconds. No loop: the verifier would walk each turn. */
static __always_inline u32 histogram_bucket(u64 ns)
{
	u64 us = ns / 1000;
	u32 bucket = 0, step;

	step = (us > 0xffffffff) << 5, us >>= step, bucket |= step;
	step = (us > 0xffff) << 4, us >>= step, bucket |= step;
	step = (us > 0xff) << 3, us >>= step, bucket |= step;
	step = (us > 0xf) << 2, us >>= step, bucket |= step;
	step = (us > 3) << 1, us >>= step, bucket |= step;
	bucket |= us >> 1;
	bucket += us > 0;
	return bucket < LS_HISTOGRAM ? bucket : LS_HISTOGRAM - 1;
}

static __always_inline void reset_account(struct ls_loop *loop)
{
	for (u32 i = 0; i < LS_CAUSES; i++) {
		loop->account[i].ns = 0;
		loop->account[i].count = 0;
	}
	loop->slept = 0;
}

static __always_inline void book(struct ls_part *part, u64 ns, u64 count)
{
	part->ns += ns;
	part->count += count;
}

/* The running iteration's account into the totals. One that did nothing but run, as those of a healthy loop, has two parts. */
static __always_inline void book_iteration(struct ls_loop *loop, u64 duration)
{
	u64 off = loop->account[LS_CAUSE_runqueue].ns;

	if (!loop->slept) {
		book(&loop->total[LS_CAUSE_runqueue], off, loop->account[LS_CAUSE_runqueue].count);
	} else {
		off = 0;
		for (u32 i = 0; i < LS_CAUSES; i++) {
			off += loop->account[i].ns;
			book(&loop->total[i], loop->account[i].ns, loop->account[i].count);
		}
	}
	loop->account[LS_CAUSE_cpu].ns = duration > off ? duration - off : 0;
	loop->account[LS_CAUSE_cpu].count = 1;
	book(&loop->total[LS_CAUSE_cpu], loop->account[LS_CAUSE_cpu].ns, 1);
}

static __always_inline void clear_booked(struct ls_loop *loop)
{
	if (loop->slept) {
		reset_account(loop);
		return;
	}
	loop->account[LS_CAUSE_runqueue].ns = loop->account[LS_CAUSE_runqueue].count = 0;
	loop->account[LS_CAUSE_cpu].ns = loop->account[LS_CAUSE_cpu].count = 0;
}

/* An iteration begins at `start`. */
static __always_inline void begin_iteration(struct ls_loop *loop, u64 start)
{
	loop->iteration_ns = start;
	loop->small_ns = 0;
	loop->iteration++;
	if (loop->idle_ns && start > loop->idle_ns)
		loop->idle_total_ns += start - loop->idle_ns;
	loop->idle_ns = 0;
}

/* What was taken for an iteration was none: the thread went back to sleep in the same poll call. */
static __always_inline void withdraw_iteration(struct ls_loop *loop, u64 now)
{
	reset_account(loop);
	loop->iteration_ns = 0;
	loop->idle_ns = now;
}

LS_FUNCTION int end_iteration(s32 slot, struct ls_loop *loop, u64 now, u32 ended_by)
{
	u64 duration;

	if (!loop || !loop->iteration_ns)
		return 0;
	duration = now - loop->iteration_ns;
	book_iteration(loop, duration);
	loop->iterations++;
	loop->busy_ns += duration;
	loop->iteration_histogram[histogram_bucket(duration) & (LS_HISTOGRAM - 1)]++;
	if (duration > loop->longest_ns)
		loop->longest_ns = duration;
	if (duration >= knobs.threshold_ns) {
		struct ls_iteration *record;

		close_group(slot, loop, 1);
		record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
		if (record) {
			fill_header(&record->h, LS_RECORD_ITERATION, slot, loop, now);
			record->iteration = loop->iteration;
			record->start_ns = loop->iteration_ns;
			record->end_ns = now;
			record->flags = loop->flags;
			record->ended_by = ended_by;
			for (u32 i = 0; i < LS_CAUSES; i++) {
				record->account[i].ns = loop->account[i].ns;
				record->account[i].count = loop->account[i].count;
			}
			bpf_ringbuf_submit(record, wake_flags());
		} else {
			count_loss(LS_LOSS_ringbuf_full);
		}
	}
	loop->group = 0;
	loop->flags &= ~(LS_LOOP_BEFORE_ATTACH | LS_LOOP_PROVISIONAL);
	loop->iteration_ns = 0;
	clear_booked(loop);
	return 0;
}

/* Bounds what captures cost on a thread that sleeps thousands of times a second. */
static __always_inline bool take_token(struct ls_loop *loop, u64 now)
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
	if (!loop->tokens)
		return false;
	loop->tokens--;
	return true;
}

/* The thread goes to sleep inside an iteration: what in, and with which stack. */
static __noinline int begin_wait(u64 task, struct pt_regs *pt, s32 slot, struct ls_loop *loop, struct ls_call *call)
{
	struct ls_wait *wait = capture_of(slot);
	struct ls_slot_config *config;
	u64 now = loop ? loop->off_ns : 0;
	u64 key = 0, old_key;
	bool captured, same;

	if (!loop || !call || !wait || !pt)
		return 0;
	captured = take_token(loop, now);
	if (!captured)
		count_loss(LS_LOSS_capture_budget);
	/* The running group's key is needed after the registers of this wait have taken its place. */
	old_key = loop->group ? wait->key : 0;
	struct ls_regs *regs = &wait->regs;

	if (loop->group &&
	    (!captured || !(wait->flags & LS_WAIT_CAPTURED) || wait->syscall != (s32)call->nr || wait->cause != loop->off_cause ||
	     wait->regs.r[7] != BPF_CORE_READ(pt, sp) || wait->regs.r[16] != BPF_CORE_READ(pt, ip))) {
		/* Surely another stack. Without tokens: same call and place count as the same. */
		same = !captured && wait->syscall == (s32)call->nr && wait->cause == loop->off_cause && !(wait->flags & LS_WAIT_CAPTURED);
		if (same)
			return 0;
		close_group(slot, loop, 0);
		old_key = 0;
	}
	if (loop->group && wait->args[0] != call->args[0]) {
		close_group(slot, loop, 0);
		old_key = 0;
	}
	if (loop->group) {
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
		read_registers(pt, &probe->regs);
		if (config)
			walk_python(config, config->tstate, loop->fs_base, probe);
		stack_key = capture_key(probe);
		if (stack_key == old_key && counted)
			return 0;
		close_group(slot, loop, 0);
	}
	wait->iteration = loop->iteration;
	wait->start_ns = now;
	wait->end_ns = 0;
	wait->off_ns = 0;
	wait->run_delay_ns = 0;
	wait->count = 0;
	wait->syscall = (s32)call->nr;
	wait->cause = loop->off_cause;
	wait->flags = 0;
	wait->kernel_frames = 0;
	wait->python_frames = 0;
	wait->stack_bytes = 0;
	wait->waker_frames = 0;
	wait->waker_ns = 0;
	wait->fault_address = 0;
	wait->call_ns = wait->calls = 0;
	wait->result = 0;
	describe_call(task, call, wait);
	if (captured) {
		read_registers(pt, regs);
		config = config_of(slot, loop);
		if (config)
			walk_python(config, config->tstate, loop->fs_base, wait);
		key = capture_key(wait);
		copy_stack(wait, loop->fs_base);
		wait->flags |= LS_WAIT_CAPTURED;
	}
	wait->key = key;
	fill_header(&wait->h, LS_RECORD_WAIT, slot, loop, now);
	loop->group = 1;
	return 0;
}

/* The thread runs again after a wait inside an iteration. */
static __noinline int end_wait(struct task_struct *task, s32 slot, struct ls_loop *loop, u64 now, u32 late)
{
	u64 off, delay = 0;
	u32 cause;
	struct ls_wait *wait;

	if (!task || !loop)
		return 0;
	off = now - loop->off_ns;
	cause = loop->off_cause;
	if (cause >= LS_CAUSES)
		return 0;
	if (cause == LS_CAUSE_runqueue) {
		loop->account[LS_CAUSE_runqueue].ns += off;
		loop->account[LS_CAUSE_runqueue].count++;
		loop->run_delay_ns += off;
		return 0;
	}
	if (loop->wake_ns) {
		/* The waker may have been there before the switch was traced. */
		delay = now - (loop->wake_ns > loop->off_ns ? loop->wake_ns : loop->off_ns);
		loop->account[LS_CAUSE_runqueue].ns += delay;
		loop->account[LS_CAUSE_runqueue].count++;
		loop->run_delay_ns += delay;
	}
	loop->account[cause & 15].ns += off - delay;
	loop->account[cause & 15].count++;
	loop->slept = 1;
	if (cause == LS_CAUSE_gil)
		end_gil_wait(slot, loop, off - delay);
	wait = capture_of(slot);
	if (!loop->group || !wait)
		return 0;
	loop->small_ns += off;
	wait->end_ns = now;
	wait->off_ns += off;
	wait->run_delay_ns += delay;
	wait->count++;
	/* The longest one's waker stands for them all, as on_waking has it. */
	if (loop->wake_ns && off - delay >= wait->waker_ns) {
		wait->waker = loop->waker;
		wait->waker_ns = off - delay;
		wait->flags |= LS_WAIT_WAKER;
	}
	/* The dear part, only now that it is worth it: at the switch back the thread's kernel stack is still that of its sleep. */
	if (!late && !wait->kernel_frames && wait->off_ns >= knobs.floor_ns) {
		long bytes = bpf_get_task_stack(task, wait->kernel, sizeof(wait->kernel), 0);

		if (bytes > 0)
			wait->kernel_frames = (u32)bytes / 8;
	}
	return 0;
}

/* The thread is back on a CPU since `now`; `late`: that was seen only after it had done something else. */
static __noinline int loop_back(struct task_struct *task, s32 slot, struct ls_loop *loop, u64 now, u32 late)
{
	if (!task || !loop)
		return 0;
	begin_change(loop);
	/* A program that has only just begun (exec) had no thread pointer when its slot was opened. */
	if (!loop->fs_base)
		loop->fs_base = BPF_CORE_READ(task, thread.fsbase);
	if (loop->off_ns && loop->iteration_ns && loop->off_cause != LS_CAUSE_none) {
		end_wait(task, slot, loop, now, late);
	} else if ((loop->flags & LS_LOOP_IN_OWN_POLL) && loop->off_ns && loop->wake_ns) {
		/* The loop has something to do from the moment it was woken. */
		u64 woken = loop->wake_ns > loop->off_ns ? loop->wake_ns : loop->off_ns;

		if (!loop->iteration_ns) {
			begin_iteration(loop, woken);
			loop->account[LS_CAUSE_runqueue].ns = now - woken;
			loop->account[LS_CAUSE_runqueue].count = 1;
			loop->run_delay_ns += now - woken;
			loop->poll_delay_ns += now - woken;
			loop->poll_delay_histogram[histogram_bucket(now - woken) & (LS_HISTOGRAM - 1)]++;
		}
	}
	loop->off_ns = 0;
	loop->wake_ns = 0;
	end_change(loop);
	return 0;
}

static __noinline int late_back(struct task_struct *task, s32 slot, struct ls_loop *loop, u64 now)
{
	u64 back, queued;

	if (!task || !loop)
		return 0;
	back = now;
	if (loop->wake_ns)
		back = loop->wake_ns > loop->off_ns ? loop->wake_ns : loop->off_ns;
	else if (loop->off_cause == LS_CAUSE_runqueue)
		back = loop->off_ns;
	queued = run_queue_time(task);
	if (queued > loop->queued_ns)
		back += queued - loop->queued_ns;
	count_loss(LS_LOSS_switch_untraced);
	loop_back(task, slot, loop, back < now ? back : now, 1);
	return 0;
}

/* Notices a thread that is followed as off CPU but runs: its switch back was not traced. Some virtual machines hide the switches
 * away from their own agent's tasks, and with them the switch to whatever comes next. When it came back follows from its wake-up
 * and the kernel's own account of its run-queue time. To be called wherever the thread is seen in its own context. */
static __always_inline void catch_up_loop(struct task_struct *task, s32 slot, struct ls_loop *loop, u64 now)
{
	if (loop->off_ns)
		late_back(task, slot, loop, now);
}

static __always_inline void catch_up(struct task_struct *task, struct ls_thread *thread, u64 now)
{
	struct ls_loop *loop = loop_at(thread->slot);

	if (loop)
		catch_up_loop(task, thread->slot, loop, now);
	else
		thread->off_ns = thread->wake_ns = 0;
}
