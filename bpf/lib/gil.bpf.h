/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who holds CPython's GIL while a loop thread waits for it. The waiting thread reads that itself, as it goes to sleep: it shares
 * the holder's memory, and a thread that waits for the GIL wakes every switch interval (5 ms) and goes to sleep again, so that a
 * long wait is a series of samples. What is read moves meanwhile: user space takes it for what it is, inferred. */
#pragma once

#include "capture.bpf.h"

/* Shorter ones are the holder's way out after it was asked for the GIL; they are neither time nor news. */
#define LS_GIL_WAIT_MIN_NS 100000

LS_FUNCTION int read_gil_holder(struct ls_slot_config *config, struct ls_gil_wait *out)
{
	u64 tstate = 0, frame = 0;
	s32 locked = 0;
	u32 n;

	if (!config || !out || !config->python || !config->gil_last_holder)
		return 0;
	if (bpf_probe_read_user(&locked, sizeof(locked), (void *)config->gil_locked) || locked != 1)
		return 0;
	/* Its own: it has just given the GIL up and waits for another thread to take it. */
	if (bpf_probe_read_user(&tstate, 8, (void *)config->gil_last_holder) || !tstate || tstate == config->tstate)
		return 0;
	out->tstate = tstate;
	out->thread_id = 0;
	out->native_id = 0;
	if (bpf_probe_read_user(&out->thread_id, 8, (void *)(tstate + config->tstate_thread_id)))
		return 0;
	if (config->tstate_native_id)
		bpf_probe_read_user(&out->native_id, 4, (void *)(tstate + config->tstate_native_id));
	else /* before 3.11 the interpreter does not keep it */
		out->native_id = tid_of_control_block(out->thread_id);
	bpf_probe_read_user(&frame, 8, (void *)(tstate + config->tstate_frame));
	if (config->through_cframe && frame && bpf_probe_read_user(&frame, 8, (void *)(frame + config->cframe_current_frame)))
		frame = 0;
	for (n = 0; n < LS_PYTHON_FRAMES && frame && frame != PYTHON_FRAME_UNREADABLE; n++)
		frame = read_python_frame(config, frame, &out->python[n]);
	out->python_frames = n;
	return 1;
}

static __always_inline struct ls_gil_wait *gil_wait_of(s32 slot)
{
	u32 key = slot;

	return bpf_map_lookup_elem(&gil_waits, &key);
}

/* The thread goes to sleep for the GIL in an iteration that is suspicious already, as those are that are sampled. */
static __noinline int begin_gil_wait(s32 slot, struct ls_loop *loop, struct ls_slot_config *config)
{
	struct ls_gil_wait *wait = gil_wait_of(slot);

	if (!wait || !loop || !config || loop->off_since_ns - loop->iteration_start_ns < knobs.threshold_ns / LS_SUSPICIOUS_SHARE)
		return 0;
	wait->h.type = 0;
	if (!read_gil_holder(config, wait))
		return 0;
	fill_header(&wait->h, LS_RECORD_GIL, slot, loop, loop->off_since_ns);
	wait->iteration = loop->iteration;
	wait->start_ns = loop->off_since_ns;
	return 0;
}

static __noinline int end_gil_wait(s32 slot, struct ls_loop *loop, u64 waited_ns)
{
	struct ls_gil_wait *wait = gil_wait_of(slot);
	u64 frames;

	if (!wait || !loop || wait->h.type != LS_RECORD_GIL)
		return 0;
	wait->off_ns = waited_ns;
	frames = wait->python_frames;
	if (wait->start_ns == loop->off_since_ns && waited_ns >= LS_GIL_WAIT_MIN_NS && frames <= LS_PYTHON_FRAMES)
		emit(wait, sizeof(*wait) - (LS_PYTHON_FRAMES - frames) * sizeof(wait->python[0]), LS_LOSS_ringbuf_full);
	wait->h.type = 0;
	return 0;
}
