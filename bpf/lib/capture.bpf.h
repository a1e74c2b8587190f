/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One capture for waits, samples and wakers: registers, user stack, interpreter frames, and what a call waits on. All of it runs
 * in the thread's own context (`current`): only then can its memory be read. */
#pragma once

#include "syscall.bpf.h"

#define PYTHON_FRAME_UNREADABLE (~0ULL)

/* One interpreter frame; returns the address of the next outer one. A function of its own, so that the verifier walks its body
 * once and not once a frame. */
LS_FUNCTION u64 read_python_frame(struct ls_slot_config *config, u64 frame, struct ls_python_frame *out)
{
	u64 code = 0, back = 0, instruction = 0;
	u8 owner = 0;

	if (!config || !out)
		return 0;
	if (bpf_probe_read_user(&back, 8, (void *)(frame + config->frame_back)))
		back = PYTHON_FRAME_UNREADABLE;
	bpf_probe_read_user(&code, 8, (void *)(frame + config->frame_code));
	bpf_probe_read_user(&instruction, 8, (void *)(frame + config->frame_instruction));
	if (config->has_owner)
		bpf_probe_read_user(&owner, 1, (void *)(frame + config->frame_owner));
	if (config->instruction_is_index)
		instruction = (u32)instruction;
	/* Frames of the C stack are written as code 0 and dropped by user space. */
	if (config->has_owner && owner >= config->owner_c_stack)
		code = 0;
	out->code = code & config->pointer_mask;
	out->instruction = instruction;
	return back;
}

/* pthread_self() of the thread that a PyThreadState belongs to; 0: none, or it cannot be read. */
static __always_inline u64 thread_of_state(struct ls_slot_config *config, u64 tstate)
{
	u64 thread_id = 0;

	bpf_probe_read_user(&thread_id, 8, (void *)(tstate + config->tstate_thread_id));
	return thread_id;
}

#define THREAD_STATES_MAX 128

/* The PyThreadState of any thread of the process that runs now. Who hands a lock over has the GIL, mostly; the others are
 * searched for in the interpreter's list, latest first. 0: none, or too far down that list. */
LS_FUNCTION u64 find_thread_state(struct ls_slot_config *config, u64 thread_pointer)
{
	u64 tstate = 0;

	if (!config || !config->python || !thread_pointer)
		return 0;
	if (config->gil_last_holder && !bpf_probe_read_user(&tstate, 8, (void *)config->gil_last_holder) && tstate &&
	    thread_of_state(config, tstate) == thread_pointer)
		return tstate;
	if (!config->threads_head || bpf_probe_read_user(&tstate, 8, (void *)config->threads_head))
		return 0;
	for (u32 i = 0; i < THREAD_STATES_MAX && tstate; i++) {
		if (thread_of_state(config, tstate) == thread_pointer)
			return tstate;
		if (bpf_probe_read_user(&tstate, 8, (void *)(tstate + config->tstate_next)))
			return 0;
	}
	return 0;
}

/* CPython's frames, innermost first. The layout comes from user space; every read may fail, and a thread state that is not this
 * thread's any more is recognised by its thread_id, which is pthread_self(), the thread's pointer register. */
LS_FUNCTION u32 walk_python(struct ls_slot_config *config, u64 tstate, u64 thread_pointer, struct ls_wait *out)
{
	u64 frame = 0;
	u32 n = 0;

	if (!config || !out || !config->python || !tstate || thread_of_state(config, tstate) != thread_pointer)
		return 0;
	if (bpf_probe_read_user(&frame, 8, (void *)(tstate + config->tstate_frame)))
		return 0;
	if (config->through_cframe && bpf_probe_read_user(&frame, 8, (void *)(frame + config->cframe_current_frame)))
		return 0;
	out->flags |= LS_WAIT_PYTHON;
	for (n = 0; n < LS_PYTHON_FRAMES && frame && frame != PYTHON_FRAME_UNREADABLE; n++)
		frame = read_python_frame(config, frame, &out->python[n]);
	out->python_frames = n;
	if (frame)
		out->flags |= LS_WAIT_PYTHON_CUT;
	if (frame == PYTHON_FRAME_UNREADABLE)
		count_loss(LS_LOSS_python_unreadable);
	return n;
}

/* A number for the interpreter's innermost frame and the function it runs, another one for each; 0: not known. */
LS_FUNCTION u64 python_place(struct ls_slot_config *config, u64 thread_pointer)
{
	u64 frame = 0, code = 0;

	if (!config || !config->python || !config->tstate || thread_of_state(config, config->tstate) != thread_pointer)
		return 0;
	if (bpf_probe_read_user(&frame, 8, (void *)(config->tstate + config->tstate_frame)))
		return 0;
	if (config->through_cframe && bpf_probe_read_user(&frame, 8, (void *)(frame + config->cframe_current_frame)))
		return 0;
	if (!frame || bpf_probe_read_user(&code, 8, (void *)(frame + config->frame_code)))
		return 0;
	return frame ^ code * 1099511628211ULL;
}

/* Two waits with equal keys have equal registers and frames. The words above the stack pointer distinguish callers whose
 * callee-saved registers happen to agree. */
LS_FUNCTION u64 capture_key(struct ls_wait *wait)
{
	u64 words[8] = {};
	u64 key = 14695981039346656037ULL;

	if (!wait)
		return 0;
	bpf_probe_read_user(words, sizeof(words), (void *)wait->regs.r[LS_REGISTER_SP]);
	for (u32 i = 0; i < 8; i++)
		key = (key ^ words[i]) * 1099511628211ULL;
	for (u32 i = 0; i < LS_REGISTERS; i++) {
		if (!(LS_KEY_REGISTERS >> i & 1))
			continue;
		key = (key ^ wait->regs.r[i]) * 1099511628211ULL;
	}
	for (u32 i = 0; i < LS_PYTHON_FRAMES && i < wait->python_frames; i++) {
		key = (key ^ wait->python[i].code) * 1099511628211ULL;
		key = (key ^ wait->python[i].instruction) * 1099511628211ULL;
	}
	return key ^ wait->cause ^ ((u64)wait->syscall << 32);
}

/* The first piece ends at a page boundary, so that the last page of a stack is had whole. The count is kept in the record only:
 * in a register the verifier would go on with each of its possible values apart. */
static __noinline int copy_stack(struct ls_wait *wait, u64 thread_pointer)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	u8 *to = (u8 *)(wait + 1);
	u64 sp, end;
	u32 first;

	if (!wait)
		return 0;
	wait->stack_bytes = 0;
	sp = wait->regs.r[LS_REGISTER_SP];
	first = LS_PAGE_BYTES - (sp & (LS_PAGE_BYTES - 1));
	if (first > LS_PAGE_BYTES || first == 0)
		return 0;
	if (bpf_probe_read_user(to, first, (void *)sp)) {
		count_loss(LS_LOSS_user_stack_unreadable);
		return 0;
	}
	wait->stack_bytes = first;
	/* Pages inside the stack may never have been touched (CPython's select() has 50 KiB of arrays there) and cannot be read: they
	 * are zeros, and what lies above them counts. The end is known: the thread's control block lies at the top of its stack, the
	 * main thread's is in mm. */
	end = thread_pointer > sp && thread_pointer - sp < (64 << 20) ? thread_pointer : BPF_CORE_READ(task, mm, start_stack);
	for (u32 i = 0; i < LS_STACK_BYTES_MAX / LS_PAGE_BYTES && (i + 1) * LS_PAGE_BYTES <= knobs.stack_bytes; i++) {
		u32 at = first + i * LS_PAGE_BYTES;

		if (at > (i + 1) * LS_PAGE_BYTES)
			break;
		if (bpf_probe_read_user(to + at, LS_PAGE_BYTES, (void *)(sp + at))) {
			if (sp + at >= end)
				break;
			continue;
		}
		wait->stack_bytes = at + LS_PAGE_BYTES;
	}
	return 0;
}

/* Nothing that was left by the capture before. */
static __always_inline void clear_capture(struct ls_wait *out, u64 start)
{
	out->start_ns = start;
	out->end_ns = 0;
	out->off_ns = out->run_delay_ns = 0;
	out->count = 0;
	out->key = 0;
	out->syscall = -1;
	out->cause = LS_CAUSE_none;
	out->shape = LS_SHAPE_OTHER;
	out->flags = 0;
	out->fault_address = 0;
	out->call_ns = out->calls = 0;
	out->result = 0;
	out->waker_ns = 0;
	out->waker_frames = out->kernel_frames = out->python_frames = 0;
	out->fds = out->fds_total = 0;
	out->stack_bytes = 0;
	out->path[0] = 0;
}

/* A capture of its own begins: whose it is and since when. */
static __always_inline void init_capture(struct ls_wait *out, u16 type, s32 slot, struct ls_loop *loop, u64 start, u64 now)
{
	fill_header(&out->h, type, slot, loop, now);
	out->iteration = loop->iteration;
	clear_capture(out, start);
}

/* With as much of the stack as was copied. */
static __always_inline void emit_capture(struct ls_wait *capture)
{
	u64 size = capture->stack_bytes;

	if (size > LS_STACK_BYTES_MAX)
		size = LS_STACK_BYTES_MAX;
	if (size > knobs.stack_bytes + LS_PAGE_BYTES)
		size = knobs.stack_bytes + LS_PAGE_BYTES;
	emit(capture, sizeof(*capture) + size, LS_LOSS_ringbuf_full);
}

LS_FUNCTION int describe_call(u64 task, struct ls_call *call, struct ls_wait *out)
{
	struct ls_fd_list fds = {};
	u64 path = 0;

	if (!call || !out)
		return 0;
	out->shape = call->shape;
	out->requested_ns = ~0ULL;
	out->fds = 0;
	out->fds_total = 0;
	out->path[0] = 0;
	for (u32 i = 0; i < 6; i++)
		out->args[i] = call->args[i];
	switch (call->shape) {
	case LS_SHAPE_FD:
		describe_fd(task, (s32)call->args[0], &out->fd[0]);
		out->fds = out->fds_total = 1;
		break;
	case LS_SHAPE_PATH0: path = call->args[0]; break;
	case LS_SHAPE_PATH1: path = call->args[1]; break;
	case LS_SHAPE_SLEEP0:
	case LS_SHAPE_SLEEP2: out->requested_ns = requested_sleep(call, 1); break;
	case LS_SHAPE_POLL:
	case LS_SHAPE_SELECT:
	case LS_SHAPE_EPOLL:
		out->fds_total = call_fds(task, call, &fds);
		for (u32 i = 0; i < LS_FDS; i++) {
			if (i >= out->fds_total)
				break;
			describe_fd(task, fds.fd[i], &out->fd[i]);
			out->fds = i + 1;
		}
		out->requested_ns = requested_sleep(call, !out->fds_total);
		break;
	}
	if (path)
		bpf_probe_read_user_str(out->path, sizeof(out->path), (void *)path);
	return 0;
}
