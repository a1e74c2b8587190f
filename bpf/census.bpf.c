// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Everybody who is not followed, for user space to choose from: loops that sleep for long do not come by any hook. Runs at the
 * start and every few seconds; kernel memory only. */
#include "lib/adopt.bpf.h"

SEC("iter/task")
int census(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct ls_census entry = {};
	struct ls_call call = {};
	bool main_thread;
	u32 state;

	if (!task || !runs_user_code(task) || BPF_CORE_READ(task, flags) & PF_EXITING)
		return 0;
	main_thread = BPF_CORE_READ(task, pid) == BPF_CORE_READ(task, tgid);
	entry.poll_fd = -1;
	state = task_state(task);
	if (state && task_asleep(task) && !task_stopped(task, state)) {
		read_call((struct pt_regs *)bpf_task_pt_regs(task), &call);
		if (call.shape == LS_SHAPE_EPOLL || call.shape == LS_SHAPE_URING) {
			if (call_polls(&call)) {
				entry.flags = LS_CENSUS_EPOLL;
				entry.poll_fd = poll_fd_of(&call);
			}
		} else if ((call.shape == LS_SHAPE_POLL && call.args[1] > 1) || (call.shape == LS_SHAPE_SELECT && call.args[0] > 1)) {
			/* Of select() this is the highest descriptor; how many there are is in memory that is not ours. */
			entry.flags = LS_CENSUS_POLL;
		}
	}
	if (!main_thread && !(entry.flags & LS_CENSUS_EPOLL))
		return 0;
	if (thread_of(task))
		return 0;
	entry.pid = process_of(task);
	entry.tid = pid_of(task);
	if (!entry.pid)
		return 0;
	entry.exec_id = BPF_CORE_READ(task, self_exec_id);
	/* fork() copies the number, exec() counts it up. */
	if (entry.exec_id == BPF_CORE_READ(task, parent_exec_id))
		entry.flags |= LS_CENSUS_COPY;
	entry.start_boottime_ns = BPF_CORE_READ(task, start_boottime);
	bpf_core_read_str(entry.comm, LS_COMM_BYTES, &task->comm);
	bpf_seq_write(ctx->meta->seq, &entry, sizeof(entry));
	return 0;
}
