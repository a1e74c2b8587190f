/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The account of one loop thread: its iterations, and their hand-over to user space. Everything here runs in that thread, or on
 * its CPU as it comes and goes, so nothing is locked (since 7.2 a program of a system call can be preempted: then those of its
 * switches come in between); user space reads the table meanwhile and knows by `changes` whether it moved. */
#pragma once

#include "gil.bpf.h"

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

/* Sends the run of waits in the capture table, if it is worth it, and empties it. */
LS_FUNCTION int close_run(s32 slot, struct ls_loop *loop, u32 certain)
{
	struct ls_wait *wait = capture_of(slot);
	u64 now = bpf_ktime_get_ns();
	u64 floor = knobs.floor_ns;

	if (!loop || !wait || !loop->open_run)
		return 0;
	loop->open_run = 0;
	/* Short waits add up: an iteration that is suspicious already sends more of them. */
	if (certain || (loop->iteration_start_ns && now - loop->iteration_start_ns >= knobs.threshold_ns / 2))
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
	/* Exact below 2^32, some four seconds: BPF knows no other way around a division, which takes longer than all the rest here.
	 */
	u64 us = ns >> 32 ? ns / 1000 : (ns * 274877907ULL) >> 38;
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

/* The running iteration's account into the totals, and how long it took. One that did nothing but run, as those of a healthy
 * loop, has two parts. */
static __always_inline u64 book_iteration(struct ls_loop *loop, u64 *now)
{
	u64 off = loop->account[LS_CAUSE_runqueue].ns;
	u64 duration;

	if (!loop->slept) {
		book(&loop->total[LS_CAUSE_runqueue], off, loop->account[LS_CAUSE_runqueue].count);
	} else {
		off = 0;
		for (u32 i = 0; i < LS_CAUSES; i++) {
			off += loop->account[i].ns;
			book(&loop->total[i], loop->account[i].ns, loop->account[i].count);
		}
	}
	/* Switched away after the clock was read, by a kernel that lets programs of system calls be preempted (seen with 7.2): then
	 * the parts have time that the whole has not. */
	if (off > *now - loop->iteration_start_ns)
		*now = bpf_ktime_get_ns();
	duration = *now - loop->iteration_start_ns;
	loop->account[LS_CAUSE_cpu].ns = duration > off ? duration - off : 0;
	loop->account[LS_CAUSE_cpu].count = 1;
	book(&loop->total[LS_CAUSE_cpu], loop->account[LS_CAUSE_cpu].ns, 1);
	return duration;
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
	loop->iteration_start_ns = start;
	loop->small_ns = 0;
	loop->iteration++;
	if (loop->idle_since_ns && start > loop->idle_since_ns)
		loop->idle_total_ns += start - loop->idle_since_ns;
	loop->idle_since_ns = 0;
}

/* What was taken for an iteration was none: the thread went to sleep in the same poll call. */
static __always_inline void withdraw_iteration(struct ls_loop *loop)
{
	clear_booked(loop);
	loop->idle_since_ns = loop->iteration_start_ns;
	loop->iteration_start_ns = 0;
}

static __always_inline void count_iteration(struct ls_loop *loop, u64 duration)
{
	loop->iterations++;
	loop->busy_ns += duration;
	loop->iteration_histogram[histogram_bucket(duration) & (LS_HISTOGRAM - 1)]++;
	if (duration > loop->longest_ns)
		loop->longest_ns = duration;
}

static __always_inline void leave_iteration(struct ls_loop *loop)
{
	loop->open_run = 0;
	loop->flags &= ~(LS_LOOP_BEFORE_ATTACH | LS_LOOP_PROVISIONAL);
	loop->iteration_start_ns = 0;
	clear_booked(loop);
}

/* Where a program can be preempted (as above), a switch may be booked at any time before this; what the record says adds up. */
static __always_inline void fill_account(struct ls_iteration *record, struct ls_loop *loop, u64 now)
{
	u64 off = 0, duration;

	for (u32 i = 0; i < LS_CAUSES; i++) {
		record->account[i].ns = loop->account[i].ns;
		record->account[i].count = loop->account[i].count;
		if (i != LS_CAUSE_cpu)
			off += record->account[i].ns;
	}
	if (off > now - record->start_ns)
		now = bpf_ktime_get_ns();
	duration = now - record->start_ns;
	record->account[LS_CAUSE_cpu].ns = duration > off ? duration - off : 0;
	record->end_ns = now;
}

LS_FUNCTION int end_iteration(s32 slot, struct ls_loop *loop, u64 now, u32 ended_by)
{
	u64 duration;

	if (!loop || !loop->iteration_start_ns)
		return 0;
	duration = book_iteration(loop, &now);
	count_iteration(loop, duration);
	if (duration >= knobs.threshold_ns) {
		struct ls_iteration *record;

		close_run(slot, loop, 1);
		record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
		if (record) {
			fill_header(&record->h, LS_RECORD_ITERATION, slot, loop, now);
			record->iteration = loop->iteration;
			record->start_ns = loop->iteration_start_ns;
			record->flags = loop->flags;
			record->ended_by = ended_by;
			fill_account(record, loop, now);
			record->runner = loop->runner;
			record->runner_ns = loop->runner_iteration == loop->iteration ? loop->runner_ns : 0;
			bpf_ringbuf_submit(record, wake_flags());
		} else {
			count_loss(LS_LOSS_ringbuf_full);
		}
	}
	leave_iteration(loop);
	return 0;
}

/* The same of a healthy iteration, which did nothing but run. Without a call, which costs as much as the account itself where
 * returns are made safe (CONFIG_MITIGATION_SRSO). False: it was another one, and goes on. */
static __always_inline bool end_healthy_iteration(struct ls_loop *loop, u64 now)
{
	u64 queued = loop->account[LS_CAUSE_runqueue].ns;
	u64 duration = now - loop->iteration_start_ns;

	if (loop->slept || duration >= knobs.threshold_ns || queued > duration)
		return false;
	book(&loop->total[LS_CAUSE_runqueue], queued, loop->account[LS_CAUSE_runqueue].count);
	book(&loop->total[LS_CAUSE_cpu], duration - queued, 1);
	count_iteration(loop, duration);
	leave_iteration(loop);
	return true;
}
