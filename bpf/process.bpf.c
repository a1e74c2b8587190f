// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What to follow and what to forget: threads and processes that begin, become another program, and end. */
#include "lib/discover.bpf.h"

#define NO_SLOT 0xffff

static __always_inline struct ls_process_event *reserve_process_event(u16 type, struct ls_thread *thread, u64 now)
{
	struct ls_process_event *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);

	if (!record) {
		count_loss(LS_LOSS_life_events);
		return 0;
	}
	record->h.type = type;
	record->h.slot = thread->slot < 0 ? NO_SLOT : thread->slot;
	record->h.generation = 0;
	record->h.time_ns = now;
	record->h.pid = thread->pid;
	record->h.tid = thread->tid;
	record->child = 0;
	record->exit_code = 0;
	record->group_dead = 0;
	record->followed = 0;
	record->iterations = record->busy_ns = record->idle_ns = record->longest_ns = 0;
	__builtin_memset(record->comm, 0, sizeof(record->comm));
	return record;
}

static __always_inline void fill_totals(struct ls_process_event *record, struct ls_loop *loop)
{
	record->h.generation = loop->generation;
	record->iterations = loop->iterations;
	record->busy_ns = loop->busy_ns;
	record->idle_ns = loop->idle_total_ns;
	record->longest_ns = loop->longest_ns;
}

/* The last iteration of a loop whose thread ends, or becomes another program. 0: it is none. */
static __always_inline struct ls_loop *end_loop_time(struct task_struct *task, struct ls_thread *thread, u64 now, u32 ended_by)
{
	struct ls_loop *loop;

	catch_up(task, thread, now);
	loop = loop_at(thread->slot);
	if (loop) {
		begin_change(loop);
		end_iteration(thread->slot, loop, now, ended_by);
		end_change(loop);
	}
	return loop;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct ls_thread *thread = thread_of(parent);
	struct ls_target fresh = {};
	struct ls_process_event *record;
	bool follow;
	u32 process;
	u64 now;

	if (!thread)
		return 0;
	now = bpf_ktime_get_ns();
	if (parent->tgid == child->tgid) {
		if (!adopt(child, thread->pid, thread->flags, now))
			count_loss(LS_LOSS_no_storage);
		return 0;
	}
	process = process_of(child);
	follow = thread->flags & LS_TARGET_CHILDREN;
	record = reserve_process_event(LS_RECORD_FORK, thread, now);
	if (record) {
		record->child = process;
		record->followed = follow;
		bpf_core_read_str(record->comm, LS_COMM_BYTES, &child->comm);
		bpf_ringbuf_submit(record, wake_flags());
	}
	if (!follow)
		return 0;
	fresh.flags = thread->flags & (LS_TARGET_CHILDREN | LS_TARGET_FOUND);
	bpf_map_update_elem(&targets, &process, &fresh, BPF_ANY);
	thread = adopt(child, process, fresh.flags, now);
	if (!thread)
		count_loss(LS_LOSS_no_storage);
	else if (!(fresh.flags & LS_TARGET_FOUND))
		follow_provisionally(child, thread, now);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	struct ls_thread *thread = thread_of(task);
	struct ls_process_event *record;
	struct ls_loop *loop;
	u64 now;

	if (knobs.discover)
		forget_candidate(task);
	if (!thread)
		return 0;
	now = bpf_ktime_get_ns();
	/* An exec by another thread than the main one gives that thread the main thread's number. */
	thread->tid = pid_of(task);
	thread->candidate_poll_count = 0;
	thread->candidate_poll_sp = 0;
	loop = end_loop_time(task, thread, now, LS_ENDED_BY_EXEC);
	record = reserve_process_event(LS_RECORD_EXEC, thread, now);
	if (record) {
		bpf_core_read_str(record->comm, LS_COMM_BYTES, &task->comm);
		if (loop)
			fill_totals(record, loop);
		bpf_ringbuf_submit(record, wake_flags());
	}
	if (loop)
		close_loop(thread, loop);
	/* Whether this program is to be followed as the one before was is for user space to say again. */
	if (thread->flags & LS_TARGET_FOUND) {
		bpf_map_delete_elem(&targets, &thread->pid);
		bpf_task_storage_delete(&threads, task);
		return 0;
	}
	follow_provisionally(task, thread, now);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct ls_thread *thread = thread_of(task);
	struct ls_process_event *record;
	struct ls_loop *loop;
	bool group_dead;
	u64 now;

	if (knobs.discover)
		forget_candidate(task);
	if (!thread)
		return 0;
	now = bpf_ktime_get_ns();
	group_dead = BPF_CORE_READ(task, signal, live.counter) <= 0;
	loop = end_loop_time(task, thread, now, LS_ENDED_BY_EXIT);
	/* A thread that is nobody's loop ends without a word: there may be thousands of them. */
	if (loop || group_dead) {
		record = reserve_process_event(LS_RECORD_EXIT, thread, now);
		if (record) {
			int group_code = BPF_CORE_READ(task, signal, group_exit_code);

			record->exit_code = group_code ? group_code : BPF_CORE_READ(task, exit_code);
			record->group_dead = group_dead;
			if (loop)
				fill_totals(record, loop);
			bpf_ringbuf_submit(record, wake_flags());
		}
	}
	if (loop)
		close_loop(thread, loop);
	if (group_dead)
		bpf_map_delete_elem(&targets, &thread->pid);
	bpf_task_storage_delete(&threads, task);
	return 0;
}
