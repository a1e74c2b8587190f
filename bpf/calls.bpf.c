// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* futex and file-I/O system calls of loop threads: a call's whole length, which many short sleeps may make up, and its result.
 * Attached by user space to the tracepoints of a small set of calls, because each costs every process that makes the call. */
#include "lib/loop.bpf.h"

static __always_inline int enter_call(struct task_struct *task)
{
	struct ls_thread *thread;
	struct ls_loop *loop;
	s32 slot;

	if (!task)
		return 0;
	loop = running_loop(task, &slot, &thread);
	if (loop && loop->iteration_start_ns)
		loop->call_start_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int exit_call(struct task_struct *task, s32 nr, s64 ret)
{
	struct ls_thread *thread;
	struct ls_loop *loop;
	struct ls_wait *wait;
	u64 start;
	s32 slot;

	if (!task)
		return 0;
	loop = running_loop(task, &slot, &thread);
	if (!loop || !loop->call_start_ns)
		return 0;
	start = loop->call_start_ns;
	loop->call_start_ns = 0;
	if (!loop->open_run)
		return 0;
	wait = capture_of(slot);
	if (!wait || wait->syscall != nr || wait->end_ns < start)
		return 0; /* the call did not sleep */
	wait->call_ns += bpf_ktime_get_ns() - start;
	wait->calls++;
	wait->result = ret;
	return 0;
}

SEC("tracepoint")
int on_call_enter(struct ls_sys_enter *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return may_be_followed(task) ? enter_call(task) : 0;
}

SEC("tracepoint")
int on_call_exit(struct ls_sys_exit *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return may_be_followed(task) ? exit_call(task, ctx->id, ctx->ret) : 0;
}
