// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What becomes of processes that are followed together with their children: whether they came to accept a connection, which files
 * they opened for writing last, and who ended them by a signal. Loaded for --children only; a process that accepts or writes pays
 * for its own calls, nobody for anything else. */
#include "lib/state.bpf.h"

#define O_WRONLY 01
#define O_RDWR 02

#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGABRT 6
#define SIGKILL 9
#define SIGSEGV 11
#define SIGTERM 15

struct kernel_siginfo;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, u32); /* process, as loopsnoop sees it; user space deletes what it has read */
	__type(value, struct ls_activity);
} activities SEC(".maps");

/* Too large for the stack of a program. */
const struct ls_activity no_activity = {};

static __always_inline struct ls_activity *activity_of(struct ls_thread *thread)
{
	struct ls_activity *known;
	u32 process;

	if (!thread || !(thread->flags & LS_TARGET_CHILDREN))
		return 0;
	process = thread->pid;
	known = bpf_map_lookup_elem(&activities, &process);
	if (known)
		return known;
	bpf_map_update_elem(&activities, &process, &no_activity, BPF_NOEXIST);
	return bpf_map_lookup_elem(&activities, &process);
}

/* Two threads that write at once may take one place: one of the two is kept then, perhaps with a mixed path. */
static __always_inline int note_write(struct ls_thread *thread, const char *path)
{
	struct ls_activity *own = activity_of(thread);
	struct ls_write *entry;

	if (!own)
		return 0;
	entry = &own->last[own->writes & (LS_WRITES - 1)];
	own->writes++;
	entry->time_ns = bpf_ktime_get_ns();
	if (bpf_probe_read_user_str(entry->path, sizeof(entry->path), path) < 0)
		entry->path[0] = 0;
	return 0;
}

SEC("?tracepoint")
int on_open_enter(struct ls_sys_enter *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ls_thread *thread = thread_of(task);
	u64 args[6];

	if (!thread)
		return 0;
	read_arguments((struct pt_regs *)bpf_task_pt_regs(task), args);
	return args[2] & (O_WRONLY | O_RDWR) ? note_write(thread, (const char *)args[1]) : 0;
}

/* What a file is called in the end counts: it is often written under another name first. */
SEC("?tracepoint")
int on_rename_enter(struct ls_sys_enter *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ls_thread *thread = thread_of(task);
	u64 args[6];

	if (!thread)
		return 0;
	read_arguments((struct pt_regs *)bpf_task_pt_regs(task), args);
	return note_write(thread, (const char *)(ctx->id == LS_NR_RENAME ? args[1] : args[3]));
}

SEC("?tracepoint")
int on_accept_exit(struct ls_sys_exit *ctx)
{
	struct ls_thread *thread;
	struct ls_activity *own;

	if (ctx->ret < 0)
		return 0;
	thread = thread_of(bpf_get_current_task_btf());
	own = activity_of(thread);
	if (own)
		__sync_fetch_and_add(&own->accepted, 1);
	return 0;
}

static __always_inline bool ends_processes(int number)
{
	switch (number) {
	case SIGHUP:
	case SIGINT:
	case SIGQUIT:
	case SIGABRT:
	case SIGKILL:
	case SIGSEGV:
	case SIGTERM: return true;
	default: return false;
	}
}

SEC("?tp_btf/signal_generate")
int BPF_PROG(on_signal, int number, struct kernel_siginfo *info, struct task_struct *task, int group, int result)
{
	struct task_struct *sender;
	struct ls_thread *thread;
	struct ls_activity *own;
	struct ls_loop *loop;

	if (!ends_processes(number))
		return 0;
	thread = bpf_task_storage_get(&threads, task->group_leader, 0, 0);
	own = activity_of(thread);
	if (!own)
		return 0;
	sender = bpf_get_current_task_btf();
	own->signal = number;
	own->signal_ns = bpf_ktime_get_ns();
	own->sender = process_of(sender);
	struct task_struct *leader = BPF_CORE_READ(sender, group_leader);

	bpf_core_read_str(own->sender_comm, LS_COMM_BYTES, &leader->comm);
	loop = loop_at(thread->slot);
	own->was_idle = loop && !loop->iteration_start_ns;
	return 0;
}
