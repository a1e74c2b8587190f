// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* On-CPU stacks: of iterations that are long because they compute, by a per-thread cpu-clock event that is silent until the
 * iteration is suspicious; and of any thread that computes, for a dump. */
#include "lib/loop.bpf.h"

#define SAMPLES_AT_ONCE 8

/* How many periods of CPU time the sample stands for that may be taken now; 0: none may. With a short period, which finds short
 * stalls, a long one gets fewer samples: each stands for those that were passed over before it. */
static __always_inline u32 sample_weight(u32 slot, const struct ls_loop *loop, u64 now)
{
	u64 burst = (u64)SAMPLES_AT_ONCE * knobs.sample_token_ns;
	struct ls_sampling *sampling;
	u32 weight;

	if (!knobs.sample_token_ns)
		return 1;
	sampling = bpf_map_lookup_elem(&samplings, &slot);
	if (!sampling)
		return 1;
	if (sampling->iteration != loop->iteration)
		sampling->passed = 0;
	sampling->iteration = loop->iteration;
	if (sampling->next_ns > now) {
		sampling->passed++;
		return 0;
	}
	if (sampling->next_ns + burst < now)
		sampling->next_ns = now - burst;
	sampling->next_ns += knobs.sample_token_ns;
	weight = sampling->passed + 1;
	sampling->passed = 0;
	return weight;
}

/* The thread that runs here, where it was interrupted. `tstate`: its PyThreadState, 0: none. */
static __always_inline void take_sample(void *ctx, struct task_struct *task, struct ls_slot_config *config, u64 tstate,
                                        u64 thread_pointer, struct ls_wait *sample)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	long bytes;

	sample->cause = LS_CAUSE_cpu;
	sample->flags = LS_WAIT_CAPTURED;
	sample->syscall = (s32)syscall_of(regs);
	read_register_file(regs, sample->regs.r);
	if (config)
		walk_python(config, tstate, thread_pointer, sample);
	copy_stack(sample, thread_pointer);
	/* Only the kernel's own frames when it was in the kernel: empty while it computes in user space. */
	bytes = bpf_get_stack(ctx, sample->kernel, sizeof(sample->kernel), 0);
	sample->kernel_frames = bytes > 0 ? (u32)bytes / 8 : 0;
	emit_capture(sample);
}

SEC("perf_event")
int on_sample(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ls_thread *thread = thread_of(task);
	struct ls_slot_config *config;
	struct ls_loop *loop;
	struct ls_wait *sample;
	u32 cpu = bpf_get_smp_processor_id();
	u32 weight;
	u64 now;

	if (!thread)
		return 0;
	loop = loop_at(thread->slot);
	if (!loop)
		return 0;
	now = bpf_ktime_get_ns();
	catch_up(task, thread, now);
	if (!loop->iteration_start_ns || now - loop->iteration_start_ns < knobs.threshold_ns / LS_SUSPICIOUS_SHARE)
		return 0;
	config = config_of(thread->slot, loop);
	if (config && config->ignore)
		return 0;
	weight = sample_weight(thread->slot, loop, now);
	if (!weight)
		return 0;
	sample = bpf_map_lookup_elem(&scratch, &cpu);
	if (!sample)
		return 0;
	init_capture(sample, LS_RECORD_SAMPLE, thread->slot, loop, now, now);
	sample->end_ns = now;
	sample->count = weight;
	take_sample(ctx, task, config, config ? config->tstate : 0, loop->thread_pointer, sample);
	return 0;
}

/* How the frames of the process are walked that is dumped. */
struct ls_slot_config dumped_python = {};

/* A thread that computes while its process is dumped: a loop's or not, in whatever iteration. */
SEC("perf_event")
int on_dump_sample(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 thread_pointer = LS_THREAD_POINTER(task);
	u64 now = bpf_ktime_get_ns();
	u32 cpu = bpf_get_smp_processor_id();
	struct ls_wait *sample = bpf_map_lookup_elem(&scratch, &cpu);

	if (!sample)
		return 0;
	sample->h.type = LS_RECORD_SAMPLE;
	sample->h.slot = (u16)LS_NO_SLOT;
	sample->h.generation = 0;
	sample->h.time_ns = now;
	sample->h.pid = process_of(task);
	sample->h.tid = pid_of(task);
	sample->iteration = 0;
	clear_capture(sample, now);
	sample->end_ns = now;
	sample->count = 1;
	take_sample(ctx, task, &dumped_python, find_thread_state(&dumped_python, thread_pointer), thread_pointer, sample);
	return 0;
}

/* struct bpf_perf_event_data (linux/bpf_perf_event.h), whose header brings types that are here in a form of their own. */
struct ls_fault_context {
	u64 registers[LS_PT_REGS_WORDS];
	u64 sample_period;
	u64 address;
};

/* A major page fault of a loop thread has been served: the wait for it has ended, and is the last in the capture table. Counted
 * by the kernel for this thread only, once for each such fault; what it costs is nothing beside the fault. */
SEC("perf_event")
int on_major_fault(struct ls_fault_context *ctx)
{
	struct ls_thread *thread = thread_of(bpf_get_current_task_btf());
	struct ls_wait *wait;
	struct ls_loop *loop;

	if (!thread)
		return 0;
	loop = loop_at(thread->slot);
	if (!loop || !loop->open_run)
		return 0;
	wait = capture_of(thread->slot);
	if (wait && wait->cause == LS_CAUSE_page_fault)
		wait->fault_address = ctx->address;
	return 0;
}
