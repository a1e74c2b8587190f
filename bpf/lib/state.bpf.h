/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Knobs, maps and per-thread state shared by all programs. Weak, so that every object file has them and the linker keeps one. */
#pragma once

#include "kernel.bpf.h" /* first: arch/ needs its types */

#include "abi/knobs.h"
#include "abi/tables.h"

const volatile struct ls_knobs knobs __weak SEC(".rodata") = {};
const volatile __u8 shapes[LS_SYSCALLS] __weak SEC(".rodata") = {};

/* A function the verifier checks once, for any arguments, instead of at every call: what keeps the programs within its budget.
 * Such functions take numbers and pointers to whole structs only, so a task is handed over by its address (only ever read with
 * bpf_probe_read_kernel). Weak, because every object file has its copy. */
#define LS_FUNCTION __weak __noinline
#define TASK(address) ((struct task_struct *)(address))

/* A trusted pointer as a number. The verifier keeps calling it a pointer through any cast; a copy made by a helper it does not.
 */
static __always_inline u64 address_of(const void *pointer)
{
	u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &pointer);
	return address;
}

#define LS_NO_SLOT (-1)
#define LS_SLOT_CLAIMED (-2) /* being filled in */

/* State of every thread of a followed process; a thread that has one is followed. */
struct ls_thread {
	s32 slot; /* of loops, negative: not (yet) a loop thread; otherwise off_since_ns, woken_at_ns and off_cause are those of the
	             loop */
	u32 pid;  /* process, as loopsnoop sees it */
	u32 tid;
	u32 flags; /* enum ls_target_flags of its process */
	u64 off_since_ns;
	u64 woken_at_ns;
	u64 followed_ns;
	u64 candidate_poll_sp;
	u32 candidate_poll_syscall;
	u32 candidate_poll_count;
	u8 off_cause;
	u8 pad[7];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct ls_thread);
} threads __weak SEC(".maps");

#define LS_SLOT_CACHE 8192

/* The slots of loop threads by their number, as the kernel has it, modulo the size: number << 32 | slot, 0: none. Of two threads
 * that share a place the later one has it, and the other is found the slow way, by its task storage. */
__u64 slot_cache[LS_SLOT_CACHE] __weak SEC(".bss");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* knobs.slots */
	__type(key, u32);
	__type(value, struct ls_loop);
} loops __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ls_slot_config);
} configs __weak SEC(".maps");

/* struct ls_wait and the user stack; the value size depends on --stack-bytes and is set before loading. One page more than
 * stack_bytes, because the first piece of a stack ends at a page boundary. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct ls_wait) + LS_STACK_BYTES_MAX + LS_PAGE_BYTES);
} captures __weak SEC(".maps");

/* Who held the GIL when a loop thread last went to sleep for it; sent when it is back. h.type 0: nothing there. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* knobs.slots */
	__type(key, u32);
	__type(value, struct ls_gil_wait);
} gil_waits __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* knobs.slots */
	__type(key, u32);
	__type(value, struct ls_sampling);
} samplings __weak SEC(".maps");

/* As captures, for what is sent at once, one for each CPU: samples. No per-CPU map, whose values may not pass 32 KiB. Used with
 * interrupts off only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* possible CPUs */
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct ls_wait) + LS_STACK_BYTES_MAX + LS_PAGE_BYTES);
} scratch __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ls_snapshot);
} snapshots __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} records __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LS_LOSSES);
	__type(key, u32);
	__type(value, u64);
} losses __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u32); /* process, as loopsnoop sees it */
	__type(value, struct ls_target);
} targets __weak SEC(".maps");

static __always_inline void count_loss(u32 loss)
{
	u64 *count = bpf_map_lookup_elem(&losses, &loss);

	if (count)
		*count += 1;
}

static __always_inline u32 pid_of(struct task_struct *task)
{
	u32 level = knobs.pid_level;

	if (!level)
		return BPF_CORE_READ(task, pid);
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct upid upid = {};

	if (level > 31 || !pid || BPF_CORE_READ(pid, level) < level)
		return 0; /* not visible from loopsnoop's namespace */
	bpf_core_read(&upid.nr, sizeof(upid.nr), &pid->numbers[level].nr);
	return upid.nr;
}

static __always_inline u32 process_of(struct task_struct *task)
{
	if (!knobs.pid_level)
		return BPF_CORE_READ(task, tgid);
	return pid_of(BPF_CORE_READ(task, group_leader));
}

/* Whether any BPF program keeps something for this thread: what keeps the switches, wake-ups and poll calls of everybody else at
 * the price of one load. */
static __always_inline bool may_be_followed(struct task_struct *task) { return task->bpf_storage; }

/* Of a thread that has been asked that already. Once is enough: for each load of a pointer from a task the verifier of Linux 6.2
 * to 6.18 goes through all of the kernel's type names, up to four times (btf_nested_type_is_trusted), and it walks a load many
 * times. */
static __always_inline struct ls_thread *kept_of(struct task_struct *task) { return bpf_task_storage_get(&threads, task, 0, 0); }

static __always_inline struct ls_thread *thread_of(struct task_struct *task) { return may_be_followed(task) ? kept_of(task) : 0; }

static __always_inline struct ls_loop *loop_at(s32 slot)
{
	u32 key = slot;

	if (slot < 0)
		return 0;
	return bpf_map_lookup_elem(&loops, &key);
}

/* Of a loop thread, mostly: the storage of a task takes ten times as long to find. -1: it has to be searched for there. */
static __always_inline s32 cached_slot(struct task_struct *task)
{
	u32 pid = task->pid;
	u64 entry = slot_cache[pid % LS_SLOT_CACHE];

	return entry >> 32 == pid ? (s32)(u32)entry : -1;
}

/* The loop of a thread that may be followed, and its slot. 0: it is none, and `thread` is then what is kept of it, 0 when it is
 * not followed. */
static __always_inline struct ls_loop *loop_of(struct task_struct *task, s32 *slot, struct ls_thread **thread)
{
	*thread = 0;
	*slot = cached_slot(task);
	if (*slot < 0) {
		*thread = kept_of(task);
		*slot = *thread ? (*thread)->slot : LS_NO_SLOT;
	}
	return loop_at(*slot);
}

static __always_inline struct ls_slot_config *config_of(s32 slot, struct ls_loop *loop)
{
	u32 key = slot;
	struct ls_slot_config *config = bpf_map_lookup_elem(&configs, &key);

	/* Written by user space for the occupant it knew; the slot may have another one by now. */
	return config && config->generation == loop->generation ? config : 0;
}

static __always_inline void fill_header(struct ls_header *h, u16 type, s32 slot, struct ls_loop *loop, u64 now)
{
	h->type = type;
	h->slot = slot;
	h->generation = loop->generation;
	h->time_ns = now;
	h->pid = loop->pid;
	h->tid = loop->tid;
}

/* The reader checks the ring buffer every tick; waking it costs more than the record, so only a filling buffer does. */
static __always_inline u64 wake_flags(void)
{
	return bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) > (1 << 20) ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline void emit(void *record, u64 size, u32 loss)
{
	if (bpf_ringbuf_output(&records, record, size, wake_flags()))
		count_loss(loss);
}
