// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* futex and file-I/O system calls of loop threads: a call's whole length, which many short sleeps may make up, and its result.
 * Attached by user space to the tracepoints of a small set of calls, because each costs every process that makes the call. */
#include "lib/loop.bpf.h"

SEC("tracepoint")
int on_call_enter(struct ls_sys_enter *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ls_thread *thread = thread_of(task);
	struct ls_loop *loop;
	u64 now;

	if (!thread)
		return 0;
	loop = loop_at(thread->slot);
	if (!loop || !loop->iteration_ns)
		return 0;
	now = bpf_ktime_get_ns();
	catch_up(task, thread, now);
	loop->call_start_ns = now;
	return 0;
}

SEC("tracepoint")
int on_call_exit(struct ls_sys_exit *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ls_thread *thread = thread_of(task);
	struct ls_loop *loop;
	struct ls_wait *wait;
	u64 start, now;

	if (!thread)
		return 0;
	loop = loop_at(thread->slot);
	if (!loop || !loop->call_start_ns)
		return 0;
	now = bpf_ktime_get_ns();
	catch_up(task, thread, now);
	start = loop->call_start_ns;
	loop->call_start_ns = 0;
	if (!loop->group)
		return 0;
	wait = capture_of(thread->slot);
	if (!wait || wait->syscall != (s32)ctx->id || wait->end_ns < start)
		return 0; /* the call did not sleep */
	wait->call_ns += now - start;
	wait->calls++;
	wait->result = ctx->ret;
	return 0;
}
