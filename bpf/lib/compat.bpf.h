/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Everything that differs between kernel releases, an entry a change. */
#pragma once

#include "kernel.bpf.h"

#define TASK_RUNNING 0
#define TASK_UNINTERRUPTIBLE 2
#define TASK_STOPPED 4     /* __TASK_STOPPED */
#define TASK_TRACED 8      /* __TASK_TRACED */
#define TASK_FROZEN 0x8000 /* since 6.1: f5d39b020809 */
#define JOBCTL_TRAP_FREEZE (1UL << 23)

/* 5.14 renamed task_struct::state (2f064a59a11f). */
struct task_struct___before_5_14 {
	long state;
} __attribute__((preserve_access_index));

static __always_inline u32 task_state(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return ((struct task_struct___before_5_14 *)task)->state;
}

/* 6.12 leaves a task that goes to sleep on the run queue until its lag is spent (152e11f6df29): on_rq alone is not enough. */
static __always_inline bool task_asleep(struct task_struct *task)
{
	if (!task->on_rq)
		return true;
	if (bpf_core_field_exists(task->se.sched_delayed))
		return task->se.sched_delayed;
	return false;
}

/* A task is stopped by a signal, by a tracer, or frozen with its cgroup. */
static __always_inline bool task_stopped(struct task_struct *task, u32 state)
{
	return (state & (TASK_STOPPED | TASK_TRACED | TASK_FROZEN)) || (task->jobctl & JOBCTL_TRAP_FREEZE);
}

#define PF_EXITING 0x00000004
#define PF_IO_WORKER 0x00000010
#define PF_USER_WORKER 0x00004000 /* since 6.4 */
#define PF_KTHREAD 0x00200000

/* The thread has user registers and memory of its own; kernel threads and io_uring's workers have not, nor has one that ends. */
static __always_inline bool runs_user_code(struct task_struct *task)
{
	return BPF_CORE_READ(task, mm) && !(BPF_CORE_READ(task, flags) & (PF_IO_WORKER | PF_USER_WORKER | PF_KTHREAD));
}

/* In the clock of the run queues: since when the task has waited for a CPU, and since when it has had the one it runs on; 0: it
 * does not, or the kernel does not keep it. */
static __always_inline u64 queued_since(struct task_struct *task)
{
	if (bpf_core_field_exists(task->sched_info))
		return task->sched_info.last_queued;
	return 0;
}

static __always_inline u64 running_since(struct task_struct *task)
{
	if (bpf_core_field_exists(task->sched_info))
		return task->sched_info.last_arrival;
	return 0;
}

/* Time the task has waited on run queues in all; 0 in kernels that do not keep it. */
static __always_inline u64 run_queue_time(struct task_struct *task)
{
	if (bpf_core_field_exists(task->sched_info))
		return task->sched_info.run_delay;
	return 0;
}
