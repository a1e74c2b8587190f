// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <tuple>
#include <utility>

#include "collector/decode.h"
#include "collector/decode_fd.h"
#include "collector/decode_parts.h"

namespace loopsnoop::collector {

RawWait decode_wait(const ls_wait &wire, std::span<const std::byte> stack) {
	RawWait wait;
	wait.key = key_of(wire.h);
	wait.pid = wire.h.pid;
	wait.tid = wire.h.tid;
	wait.iteration = wire.iteration;
	wait.cause = to_cause(wire.cause).value_or(Cause::other);
	wait.syscall = to_syscall(wire.syscall);
	wait.start_ns = wire.start_ns;
	wait.end_ns = wire.end_ns;
	wait.off_ns = wire.off_ns;
	wait.run_delay_ns = wire.run_delay_ns;
	wait.count = wire.count;
	wait.stack_key = (wire.flags & LS_WAIT_CAPTURED) != 0 ? wire.key : 0;
	if (wire.calls > 0) {
		wait.call_ns = wire.call_ns;
		wait.call_result = wire.result;
	}
	wait.target = decode_target(wire);
	wait.stack = decode_stack(wire, stack);
	if ((wire.flags & LS_WAIT_WAKER) != 0) {
		Waker waker;
		waker.pid = wire.waker.pid;
		waker.tid = wire.waker.tid;
		waker.comm = comm(wire.waker.process_comm);
		waker.thread = comm(wire.waker.comm);
		wait.waker = std::move(waker);
		const std::size_t frames = std::min<std::size_t>(wire.waker_frames, LS_KERNEL_FRAMES);
		wait.waker_kernel.assign(wire.waker_kernel, wire.waker_kernel + frames);
	}
	return wait;
}

LoopState decode_loop(const ls_loop &loop, std::uint32_t slot) {
	LoopState state;
	state.key = {slot, loop.generation};
	state.pid = loop.pid;
	state.tid = loop.tid;
	state.provisional = loop.rank == LS_RANK_NONE;
	state.before_attach = (loop.flags & LS_LOOP_BEFORE_ATTACH) != 0;
	state.changes = loop.changes;
	state.followed_ns = loop.followed_ns;
	state.iteration = loop.iteration;
	state.iteration_start_ns = loop.iteration_start_ns;
	state.off_since_ns = loop.off_since_ns;
	state.woken_at_ns = loop.woken_at_ns;
	state.idle_since_ns = loop.idle_since_ns;
	state.off_cause = to_cause(loop.off_cause);
	state.off_syscall = to_syscall(loop.off_syscall);
	state.thread_pointer = loop.thread_pointer;
	state.open_run = loop.open_run != 0;
	state.iterations = loop.iterations;
	state.busy_ns = loop.busy_ns;
	state.idle_total_ns = loop.idle_total_ns;
	state.longest_ns = loop.longest_ns;
	state.account = decode_account(loop.account);
	state.runner = loop.runner_iteration == loop.iteration ? decode_runner(loop.runner, loop.runner_ns) : std::nullopt;
	state.total = decode_account(loop.total);
	state.poll_delay_ns = loop.poll_delay_ns;
	static_assert(std::tuple_size_v<Histogram> == LS_HISTOGRAM);
	std::copy(std::begin(loop.iteration_histogram), std::end(loop.iteration_histogram), state.iteration_times.begin());
	std::copy(std::begin(loop.poll_delay_histogram), std::end(loop.poll_delay_histogram), state.poll_delays.begin());
	return state;
}

UnfollowedThread decode_census(const ls_census &wire) {
	UnfollowedThread thread;
	thread.pid = wire.pid;
	thread.tid = wire.tid;
	thread.program = wire.exec_id;
	thread.born_ns = wire.start_boottime_ns;
	thread.copy = (wire.flags & LS_CENSUS_COPY) != 0;
	thread.thread = comm(wire.comm);
	if ((wire.flags & LS_CENSUS_EPOLL) != 0) {
		thread.in = UnfollowedThread::In::epoll;
		if (wire.poll_fd >= 0) {
			thread.poll_fd = wire.poll_fd;
		}
	} else if ((wire.flags & LS_CENSUS_POLL) != 0) {
		thread.in = UnfollowedThread::In::poll;
	}
	return thread;
}

ThreadSnapshot decode_snapshot(const ls_snapshot &wire) {
	ThreadSnapshot snapshot;
	snapshot.pid = wire.pid;
	snapshot.tid = wire.tid;
	snapshot.thread = comm(wire.comm);
	snapshot.running = wire.on_cpu != 0;
	snapshot.stopped = wire.cause == LS_CAUSE_stopped;
	constexpr std::uint32_t uninterruptible = 2;
	if (wire.state == 0) {
		snapshot.state = snapshot.running ? ThreadView::State::running : ThreadView::State::runnable;
	} else if (snapshot.stopped) {
		snapshot.state = ThreadView::State::stopped;
	} else if ((wire.state & uninterruptible) != 0) {
		snapshot.state = ThreadView::State::disk_sleep;
	}
	snapshot.now_ns = wire.now_ns;
	snapshot.off_since_ns = wire.off_since_ns;
	snapshot.switches = wire.switches;
	snapshot.syscall = to_syscall(wire.syscall);
	std::copy_n(wire.args, snapshot.args.size(), snapshot.args.begin());
	snapshot.thread_pointer = wire.thread_pointer;
	snapshot.adopted = wire.adopted != 0;
	snapshot.has_loop = static_cast<std::int32_t>(wire.slot) >= 0;
	if (wire.fd.fd >= 0) {
		snapshot.descriptor = decode_fd(wire.fd);
	}
	snapshot.stack.from = StackFrom::live;
	snapshot.stack.pid = wire.pid;
	snapshot.stack.tid = wire.tid;
	snapshot.stack.have_registers = wire.state != 0;
	std::copy_n(wire.regs.r, UserRegisters::count, snapshot.stack.registers.r.begin());
	snapshot.stack.stack_address = snapshot.stack.registers.sp();
	const std::size_t kernel = std::min<std::size_t>(wire.kernel_frames, LS_KERNEL_FRAMES);
	snapshot.stack.kernel.assign(wire.kernel, wire.kernel + kernel);
	return snapshot;
}

ProcessActivity decode_activity(const ls_activity &wire) {
	ProcessActivity activity;
	activity.accepted = wire.accepted;
	const std::uint64_t first = wire.writes > LS_WRITES ? wire.writes - LS_WRITES : 0;
	for (std::uint64_t i = first; i < wire.writes; i++) {
		const ls_write &write = wire.last[i % LS_WRITES];
		if (write.path[0] != '\0') {
			activity.writes.push_back({write.time_ns, std::string(write.path, strnlen(write.path, sizeof(write.path)))});
		}
	}
	if (wire.signal != 0) {
		activity.signal = ProcessActivity::SignalSent{static_cast<int>(wire.signal), wire.signal_ns, wire.sender,
		                                              comm(wire.sender_comm), wire.was_idle != 0};
	}
	return activity;
}

} // namespace loopsnoop::collector
