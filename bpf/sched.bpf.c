// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Off CPU and back, and who woke it: the clock of everything. These run at every switch of the whole host; a thread of a process
 * that is not followed costs one load. */
#include "lib/loop.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline u32 cause_of_sleep(struct task_struct *task, u32 state, struct ls_slot_config *config,
                                          struct ls_call *call)
{
	u32 cause;

	if (task_stopped(task, state))
		return LS_CAUSE_stopped;
	cause = cause_of_call(bpf_get_current_task(), call);
	if (cause == LS_CAUSE_futex && config && call->args[0] >= config->gil_begin && call->args[0] < config->gil_end)
		return LS_CAUSE_gil;
	return cause;
}

/* Whether a thread that leaves the CPU is in the loop's own poll call, which of epoll calls nobody has seen the end of: the
 * number of the call is still in its registers, where the next way into the kernel, of whatever kind, puts another one (-1: an
 * interrupt or a fault). Any other poll call has a hook, which says that it is not this one. */
static __always_inline bool in_own_poll(struct ls_loop *loop, struct pt_regs *regs)
{
	if (!(loop->flags & LS_LOOP_IN_OWN_POLL))
		return false;
	if (shape_of(syscall_of(regs)) >= LS_SHAPE_POLL)
		return true;
	loop->flags &= ~LS_LOOP_IN_OWN_POLL;
	return false;
}

static __always_inline int loop_away(struct task_struct *task, s32 slot, struct ls_loop *loop, u32 state)
{
	struct ls_call call;
	struct pt_regs *regs;
	struct ls_slot_config *config;
	bool polls, healthy;
	u64 now;

	if (!task || !loop)
		return 0;
	begin_change(loop);
	loop->queued_ns = run_queue_time(task);
	loop->off_syscall = -1;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	polls = in_own_poll(loop, regs);
	if (polls)
		loop->flags |= LS_LOOP_LEFT_CPU;
	/* A healthy loop, which sleeps here and nowhere else: idle since it called, that is near enough. */
	healthy = polls && state != TASK_RUNNING && !task_stopped(task, state);
	if (healthy) {
		loop->off_cause = LS_CAUSE_none;
		if (loop->iteration_start_ns)
			withdraw_iteration(loop);
		loop->off_since_ns = loop->idle_since_ns ? loop->idle_since_ns : bpf_ktime_get_ns();
		goto out;
	}
	now = bpf_ktime_get_ns();
	loop->off_since_ns = now;
	config = config_of(slot, loop);
	if (config && config->ignore)
		goto out;
	if (state == TASK_RUNNING) {
		loop->off_cause = LS_CAUSE_runqueue;
		goto out;
	}
	/* A stopped loop serves nobody, wherever it was stopped. */
	if ((loop->flags & LS_LOOP_IN_OWN_POLL) && !loop->iteration_start_ns)
		begin_iteration(loop, now);
	if (!loop->iteration_start_ns) {
		loop->off_cause = LS_CAUSE_none;
		goto out;
	}
	loop->off_syscall = (s32)syscall_of(regs);
	if (task_stopped(task, state) || !count_with_last(slot, loop, regs)) {
		read_call(regs, &call);
		loop->off_cause = cause_of_sleep(task, state, config, &call);
		begin_wait(bpf_get_current_task(), regs, slot, loop, &call);
	}
	if (loop->off_cause == LS_CAUSE_gil)
		begin_gil_wait(slot, loop, config);
out:
	end_change(loop);
	return 0;
}

static __always_inline int went_away(struct task_struct *task, u32 state)
{
	struct ls_thread *thread;
	struct ls_loop *loop;
	s32 slot;

	if (!task)
		return 0;
	loop = running_loop(task, &slot, &thread);
	if (!loop) {
		if (thread && thread->off_since_ns) /* its switch back was not traced */
			thread->woken_at_ns = 0;
		if (thread)
			thread->off_since_ns = bpf_ktime_get_ns();
		return 0;
	}
	return loop_away(task, slot, loop, state);
}

static __noinline int name_task(struct ls_waker *name, struct task_struct *task)
{
	if (!name || !task)
		return 0;
	name->tid = pid_of(task);
	name->pid = process_of(task);
	bpf_core_read_str(name->comm, LS_COMM_BYTES, &task->comm);
	bpf_core_read_str(name->process_comm, LS_COMM_BYTES, &task->group_leader->comm);
	return 0;
}

/* A wait for a CPU that is worth asking who had it, and what that one must have run of it: kernel threads come and go in between.
 */
#define LS_RUNNER_WAIT_NS 2000000ULL
#define LS_RUNNER_NS 1000000ULL

/* How long a thread that comes back at `now` has waited for a CPU. */
static __always_inline u64 waited_for_cpu(struct ls_loop *loop, u64 now)
{
	u64 ready = loop->off_since_ns;

	if (!ready || (loop->off_cause != LS_CAUSE_runqueue && !loop->woken_at_ns))
		return 0;
	if (loop->off_cause != LS_CAUSE_runqueue && loop->woken_at_ns > ready)
		ready = loop->woken_at_ns;
	return now > ready ? now - ready : 0;
}

/* `prev` ran on the CPU that the loop's thread has now. Since when is in the clock of the run queues, as is the time at which
 * that thread began to wait for it (kernel/sched/stats.h). */
static __noinline int note_runner(struct task_struct *task, struct task_struct *prev, struct ls_loop *loop, u64 waited)
{
	u64 queued, arrived, ran;

	if (!task || !prev || !loop || !loop->iteration_start_ns || !pid_of(prev)) /* nobody did: a limit held it back */
		return 0;
	queued = queued_since(task);
	arrived = running_since(prev);
	if (!queued || !arrived || queued + waited <= arrived)
		return 0;
	ran = arrived > queued ? queued + waited - arrived : waited;
	if (ran < LS_RUNNER_NS || (loop->runner_iteration == loop->iteration && ran <= loop->runner_ns))
		return 0;
	loop->runner_iteration = loop->iteration;
	loop->runner_ns = ran;
	return name_task(&loop->runner, prev);
}

static __always_inline int came_back(struct task_struct *task, struct task_struct *prev)
{
	struct ls_thread *thread;
	struct ls_loop *loop;
	u64 now, waited;
	s32 slot;

	if (!task)
		return 0;
	loop = loop_of(task, &slot, &thread);
	if (!loop) {
		if (thread)
			thread->off_since_ns = thread->woken_at_ns = 0;
		return 0;
	}
	now = bpf_ktime_get_ns();
	waited = waited_for_cpu(loop, now);
	loop_back(task, slot, loop, now);
	return waited >= LS_RUNNER_WAIT_NS ? note_runner(task, prev, loop, waited) : 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	/* Both are asked first: after the first call the verifier would walk the second question for each way out of it. */
	bool away = may_be_followed(prev), back = may_be_followed(next);

	if (away)
		went_away(prev, preempt ? TASK_RUNNING : task_state(prev));
	if (back)
		came_back(next, prev);
	return 0;
}

/* Where the thread that runs now stands in its own code. Interrupts are off while a task is woken, so the scratch space is ours.
 */
static __noinline int capture_waker(struct task_struct *current, s32 slot, struct ls_loop *loop, struct ls_wait *wait)
{
	struct ls_slot_config *config;
	struct ls_wait *capture;
	struct pt_regs *regs;
	u32 cpu = bpf_get_smp_processor_id();
	u64 thread_pointer;

	if (!current || !loop || !wait)
		return 0;
	if (!take_token(loop, loop->woken_at_ns)) {
		count_loss(LS_LOSS_capture_budget);
		return 0;
	}
	capture = bpf_map_lookup_elem(&scratch, &cpu);
	if (!capture)
		return 0;
	init_capture(capture, LS_RECORD_WAKER, slot, loop, wait->start_ns, loop->woken_at_ns);
	capture->end_ns = loop->woken_at_ns;
	capture->count = 1;
	capture->cause = wait->cause;
	capture->flags = LS_WAIT_CAPTURED;
	capture->waker = loop->waker;
	regs = (struct pt_regs *)bpf_task_pt_regs(current);
	read_register_file(regs, capture->regs.r);
	thread_pointer = LS_THREAD_POINTER(current);
	config = config_of(slot, loop);
	/* The interpreter that is known is the loop's. */
	if (config && loop->waker.pid == loop->pid)
		walk_python(config, find_thread_state(config, thread_pointer), thread_pointer, capture);
	copy_stack(capture, thread_pointer);
	emit_capture(capture);
	return 0;
}

/* Of waits in a row the longest one's waker stands for all, so of another one nothing has to be known. A sleeper whose switch is
 * only just being traced on its own CPU may have begun a new row: then what is kept of the old one says nothing. */
static __always_inline bool may_be_longest(struct ls_loop *loop, struct ls_wait *wait)
{
	u64 off = *(volatile u64 *)&loop->off_since_ns;
	u64 changes;

	barrier();
	changes = *(volatile u64 *)&loop->changes;
	if (!off || (changes & 1) || !loop->open_run)
		return true;
	return loop->woken_at_ns > off ? loop->woken_at_ns - off >= wait->waker_ns : !wait->waker_ns;
}

/* Runs where the waker runs, so it may be on another CPU than the thread it wakes: it writes nothing but the wake-up. */
static __always_inline int woken(void *ctx, struct task_struct *task)
{
	struct ls_thread *thread;
	struct task_struct *current;
	struct ls_wait *wait;
	struct ls_loop *loop;
	long bytes;
	s32 slot;

	/* Woken before it slept: no sleep, no wake-up. What is recorded here belongs to a real sleep, even when its switch is only
	 * being traced now on the other CPU. */
	if (!task || !task_asleep(task))
		return 0;
	loop = loop_of(task, &slot, &thread);
	if (!loop) {
		if (thread && !thread->woken_at_ns)
			thread->woken_at_ns = bpf_ktime_get_ns();
		return 0;
	}
	if (loop->woken_at_ns)
		return 0;
	loop->woken_at_ns = bpf_ktime_get_ns();
	if (!loop->iteration_start_ns)
		return 0;
	wait = capture_of(slot);
	if (!wait || !may_be_longest(loop, wait))
		return 0;
	current = bpf_get_current_task_btf();
	name_task(&loop->waker, current);
	/* The sleeper cannot touch its capture now, nor its tokens. Its waker's stacks are dear, so only for waits worth it, and of
	 * those in a row only for the longest so far. */
	if (!loop->open_run || !loop->off_since_ns || loop->woken_at_ns - loop->off_since_ns < knobs.floor_ns)
		return 0;
	bytes = bpf_get_stack(ctx, wait->waker_kernel, sizeof(wait->waker_kernel), 0);
	wait->waker_frames = bytes > 0 ? (u32)bytes / 8 : 0;
	/* The sleeper's own as well, while it surely sleeps: its switch back may not be traced. */
	if (!wait->kernel_frames) {
		bytes = bpf_get_task_stack(task, wait->kernel, sizeof(wait->kernel), 0);
		wait->kernel_frames = bytes > 0 ? (u32)bytes / 8 : 0;
	}
	/* Timers end sleeps, and most waits for the GIL, whose holder is asked for in another way: there is no waker to examine.
	 * Whether another wake-up came from an interrupt is not known here; then user space throws away what is taken. */
	if (wait->waker_frames && runs_user_code(current) && loop->off_cause != LS_CAUSE_sleep && loop->off_cause != LS_CAUSE_gil)
		capture_waker(current, slot, loop, wait);
	return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task) { return may_be_followed(task) ? woken(ctx, task) : 0; }
