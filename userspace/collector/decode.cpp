// SPDX-License-Identifier: Apache-2.0
#include "collector/decode.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <string>
#include <tuple>

#include "collector/decode_fd.h"

namespace loopsnoop::collector {

namespace {

constexpr std::uint64_t unknown_time = ~0ULL;

std::string comm(const char (&bytes)[LS_COMM_BYTES]) { return {bytes, strnlen(bytes, LS_COMM_BYTES)}; }

std::optional<Cause> to_cause(std::uint32_t cause) {
	if (cause >= cause_count) {
		return std::nullopt;
	}
	return static_cast<Cause>(cause);
}

std::optional<long> to_syscall(std::int64_t number) {
	if (number < 0) {
		return std::nullopt;
	}
	return static_cast<long>(number);
}

LoopKey key_of(const ls_header &header) { return {header.slot, header.generation}; }

RawStack decode_stack(const ls_wait &wait, std::span<const std::byte> bytes) {
	RawStack stack;
	stack.pid = wait.h.pid;
	stack.tid = wait.h.tid;
	const std::size_t kernel = std::min<std::size_t>(wait.kernel_frames, LS_KERNEL_FRAMES);
	stack.kernel.assign(wait.kernel, wait.kernel + kernel);
	if ((wait.flags & LS_WAIT_CAPTURED) == 0) {
		return stack;
	}
	stack.from = StackFrom::captured;
	stack.have_registers = true;
	std::copy_n(wait.regs.r, UserRegisters::count, stack.registers.r.begin());
	stack.stack_address = stack.registers.sp();
	const auto *first = reinterpret_cast<const std::uint8_t *>(bytes.data());
	stack.stack_bytes.assign(first, first + bytes.size());
	const std::size_t python = std::min<std::size_t>(wait.python_frames, LS_PYTHON_FRAMES);
	for (std::size_t i = 0; i < python; i++) {
		if (wait.python[i].code != 0) { // 0: a frame of the C stack
			stack.python.push_back({wait.python[i].code, wait.python[i].instruction});
		}
	}
	return stack;
}

WaitTarget decode_target(const ls_wait &wait) {
	WaitTarget target;
	const std::size_t fds = std::min<std::size_t>(wait.fds, LS_FDS);
	for (std::size_t i = 0; i < fds; i++) {
		target.descriptors.push_back(decode_fd(wait.fd[i]));
	}
	target.descriptors_total = wait.fds_total;
	if (wait.requested_ns != unknown_time) {
		target.requested_ns = wait.requested_ns;
	}
	if (wait.cause == LS_CAUSE_page_fault && wait.fault_address != 0) {
		target.fault_address = wait.fault_address;
	}
	switch (wait.shape) {
	case LS_SHAPE_FUTEX: target.futex_address = wait.args[0]; break;
	case LS_SHAPE_PATH0:
	case LS_SHAPE_PATH1:
		if (wait.path[0] != '\0') {
			target.path = std::string(wait.path, strnlen(wait.path, sizeof(wait.path)));
			if (wait.shape == LS_SHAPE_PATH1 && static_cast<std::int32_t>(wait.args[0]) >= 0) {
				target.directory_fd = static_cast<std::int32_t>(wait.args[0]);
			}
		}
		break;
	case LS_SHAPE_CHILD:
		target.waits_for_child = true;
		target.child_pid = child_of_call(wait.syscall, wait.args[0], wait.args[1]);
		break;
	default: break;
	}
	target.sleeps = wait.cause == LS_CAUSE_sleep;
	return target;
}

Breakdown decode_account(const ls_part (&account)[LS_CAUSES]) {
	Breakdown breakdown{};
	for (std::size_t i = 0; i < cause_count; i++) {
		breakdown.at(i) = {account[i].ns, account[i].count};
	}
	return breakdown;
}

// The record at the start of `bytes`, if it is all there.
template <typename T> std::optional<T> whole(std::span<const std::byte> bytes) {
	if (bytes.size() < sizeof(T)) {
		return std::nullopt;
	}
	T value{};
	std::memcpy(&value, bytes.data(), sizeof(T));
	return value;
}

std::optional<Event> decode_waiting(std::span<const std::byte> record) {
	if (record.size() < sizeof(ls_wait)) {
		return std::nullopt;
	}
	// Not copied: the ring buffer keeps records 8-byte aligned, and this one is large.
	const auto &wait = *reinterpret_cast<const ls_wait *>(record.data());
	const auto stack = record.subspan(sizeof(ls_wait), std::min<std::size_t>(wait.stack_bytes, record.size() - sizeof(ls_wait)));
	if (wait.h.type == LS_RECORD_SAMPLE) {
		RawSample sample;
		sample.key = key_of(wait.h);
		sample.pid = wait.h.pid;
		sample.tid = wait.h.tid;
		sample.iteration = wait.iteration;
		sample.time_ns = wait.h.time_ns;
		sample.periods = wait.count;
		sample.stack = decode_stack(wait, stack);
		return sample;
	}
	if (wait.h.type == LS_RECORD_WAKER) {
		RawWaker waker;
		waker.key = key_of(wait.h);
		waker.iteration = wait.iteration;
		waker.wait_start_ns = wait.start_ns;
		waker.stack = decode_stack(wait, stack);
		waker.stack.pid = wait.waker.pid;
		waker.stack.tid = wait.waker.tid;
		return waker;
	}
	return decode_wait(wait, stack);
}

std::optional<Event> decode_gil_wait(std::span<const std::byte> record) {
	// As long as its frames are: only the fixed part must be there.
	constexpr std::size_t fixed = offsetof(ls_gil_wait, python);
	if (record.size() < fixed) {
		return std::nullopt;
	}
	ls_gil_wait wire{};
	std::memcpy(&wire, record.data(), std::min(record.size(), sizeof(wire)));
	RawGilWait wait;
	wait.key = key_of(wire.h);
	wait.pid = wire.h.pid;
	wait.tid = wire.h.tid;
	wait.iteration = wire.iteration;
	wait.start_ns = wire.start_ns;
	wait.waited_ns = wire.off_ns;
	wait.holder_state = wire.tstate;
	wait.holder_thread_id = wire.thread_id;
	wait.holder_native_id = wire.native_id;
	const std::size_t whole_frames = (std::min(record.size(), sizeof(wire)) - fixed) / sizeof(wire.python[0]);
	const std::size_t frames = std::min<std::size_t>(wire.python_frames, whole_frames);
	for (std::size_t i = 0; i < frames; i++) {
		if (wire.python[i].code != 0) { // 0: a frame of the C stack
			wait.python.push_back({wire.python[i].code, wire.python[i].instruction});
		}
	}
	return wait;
}

std::optional<Event> decode_iteration(std::span<const std::byte> record) {
	const auto wire = whole<ls_iteration>(record);
	if (!wire) {
		return std::nullopt;
	}
	IterationEnded ended;
	ended.key = key_of(wire->h);
	ended.pid = wire->h.pid;
	ended.tid = wire->h.tid;
	ended.iteration = wire->iteration;
	ended.start_ns = wire->start_ns;
	ended.end_ns = wire->end_ns;
	ended.before_attach = (wire->flags & LS_LOOP_BEFORE_ATTACH) != 0;
	ended.provisional = (wire->flags & LS_LOOP_PROVISIONAL) != 0;
	ended.by = static_cast<IterationEnded::By>(std::min<std::uint32_t>(wire->ended_by, 2));
	ended.breakdown = decode_account(wire->account);
	return ended;
}

std::optional<Event> decode_loop_found(std::span<const std::byte> record) {
	const auto wire = whole<ls_loop_found>(record);
	if (!wire) {
		return std::nullopt;
	}
	LoopAppeared appeared;
	appeared.key = key_of(wire->h);
	appeared.time_ns = wire->h.time_ns;
	appeared.pid = wire->h.pid;
	appeared.tid = wire->h.tid;
	appeared.comm = comm(wire->process_comm);
	appeared.thread = comm(wire->comm);
	appeared.provisional = wire->rank == LS_RANK_NONE;
	if (wire->rank != LS_RANK_NONE) {
		appeared.poll_syscall = static_cast<long>(wire->poll_syscall);
		if (wire->poll_fd >= 0) {
			appeared.poll_fd = wire->poll_fd;
		}
	}
	return appeared;
}

std::optional<Event> decode_life(std::span<const std::byte> record) {
	const auto wire = whole<ls_life>(record);
	if (!wire) {
		return std::nullopt;
	}
	std::optional<LoopEnd> loop;
	constexpr std::uint16_t no_slot = 0xffff;
	if (wire->h.slot != no_slot) {
		loop = LoopEnd{key_of(wire->h), wire->iterations, wire->busy_ns, wire->idle_ns, wire->longest_ns};
	}
	switch (wire->h.type) {
	case LS_RECORD_FORK: return Forked{wire->h.time_ns, wire->h.pid, wire->child, wire->followed != 0};
	case LS_RECORD_EXEC: return Execed{wire->h.time_ns, wire->h.pid, comm(wire->comm), loop};
	default:
		return ThreadExited{
		    wire->h.time_ns, wire->h.pid, wire->h.tid, wire->group_dead != 0, static_cast<int>(wire->exit_code), loop};
	}
}

std::optional<Event> decode_candidate(std::span<const std::byte> record) {
	const auto wire = whole<ls_candidate>(record);
	if (!wire) {
		return std::nullopt;
	}
	Candidate candidate;
	candidate.pid = wire->h.pid;
	candidate.tid = wire->h.tid;
	candidate.comm = comm(wire->process_comm);
	candidate.poll_syscall = static_cast<long>(wire->poll_syscall);
	candidate.weak = wire->weak != 0;
	if (wire->poll_fd >= 0) {
		candidate.poll_fd = wire->poll_fd;
	}
	return candidate;
}

} // namespace

std::optional<Event> decode_record(std::span<const std::byte> record) {
	const auto header = whole<ls_header>(record);
	if (!header) {
		return std::nullopt;
	}
	switch (header->type) {
	case LS_RECORD_LOOP: return decode_loop_found(record);
	case LS_RECORD_WAIT:
	case LS_RECORD_WAKER:
	case LS_RECORD_SAMPLE: return decode_waiting(record);
	case LS_RECORD_ITERATION: return decode_iteration(record);
	case LS_RECORD_GIL: return decode_gil_wait(record);
	case LS_RECORD_FORK:
	case LS_RECORD_EXEC:
	case LS_RECORD_EXIT: return decode_life(record);
	case LS_RECORD_CANDIDATE: return decode_candidate(record);
	default: return std::nullopt;
	}
}

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
	state.in_own_poll = (loop.flags & LS_LOOP_IN_OWN_POLL) != 0;
	state.changes = loop.changes;
	state.followed_ns = loop.followed_ns;
	state.iteration = loop.iteration;
	state.iteration_ns = loop.iteration_ns;
	state.off_ns = loop.off_ns;
	state.wake_ns = loop.wake_ns;
	state.idle_ns = loop.idle_ns;
	state.off_cause = to_cause(loop.off_cause);
	state.off_syscall = to_syscall(loop.off_syscall);
	state.fs_base = loop.fs_base;
	state.group_open = loop.group != 0;
	state.iterations = loop.iterations;
	state.busy_ns = loop.busy_ns;
	state.idle_total_ns = loop.idle_total_ns;
	state.longest_ns = loop.longest_ns;
	state.account = decode_account(loop.account);
	state.total = decode_account(loop.total);
	state.poll_delay_ns = loop.poll_delay_ns;
	static_assert(std::tuple_size_v<Histogram> == LS_HISTOGRAM);
	std::copy(std::begin(loop.iteration_histogram), std::end(loop.iteration_histogram), state.iteration_times.begin());
	std::copy(std::begin(loop.poll_delay_histogram), std::end(loop.poll_delay_histogram), state.poll_delays.begin());
	return state;
}

Stranger decode_census(const ls_census &wire) {
	Stranger stranger;
	stranger.pid = wire.pid;
	stranger.tid = wire.tid;
	stranger.program = wire.exec_id;
	stranger.born_ns = wire.start_boottime_ns;
	stranger.copy = (wire.flags & LS_CENSUS_COPY) != 0;
	stranger.thread = comm(wire.comm);
	if ((wire.flags & LS_CENSUS_EPOLL) != 0) {
		stranger.in = Stranger::In::epoll;
		if (wire.poll_fd >= 0) {
			stranger.poll_fd = wire.poll_fd;
		}
	} else if ((wire.flags & LS_CENSUS_POLL) != 0) {
		stranger.in = Stranger::In::poll;
	}
	return stranger;
}

ThreadLook decode_look(const ls_look &wire) {
	ThreadLook look;
	look.pid = wire.pid;
	look.tid = wire.tid;
	look.thread = comm(wire.comm);
	look.running = wire.on_cpu != 0;
	look.stopped = wire.cause == LS_CAUSE_stopped;
	constexpr std::uint32_t uninterruptible = 2;
	if (wire.state == 0) {
		look.state = look.running ? ThreadView::State::running : ThreadView::State::runnable;
	} else if (look.stopped) {
		look.state = ThreadView::State::stopped;
	} else if ((wire.state & uninterruptible) != 0) {
		look.state = ThreadView::State::disk_sleep;
	}
	look.now_ns = wire.now_ns;
	look.off_ns = wire.off_ns;
	look.switches = wire.switches;
	look.syscall = to_syscall(wire.syscall);
	std::copy_n(wire.args, look.args.size(), look.args.begin());
	look.fs_base = wire.fs_base;
	look.adopted = wire.adopted != 0;
	look.has_loop = static_cast<std::int32_t>(wire.slot) >= 0;
	if (wire.fd.fd >= 0) {
		look.descriptor = decode_fd(wire.fd);
	}
	look.stack.from = StackFrom::live;
	look.stack.pid = wire.pid;
	look.stack.tid = wire.tid;
	look.stack.have_registers = wire.state != 0;
	std::copy_n(wire.regs.r, UserRegisters::count, look.stack.registers.r.begin());
	look.stack.stack_address = look.stack.registers.sp();
	const std::size_t kernel = std::min<std::size_t>(wire.kernel_frames, LS_KERNEL_FRAMES);
	look.stack.kernel.assign(wire.kernel, wire.kernel + kernel);
	return look;
}

Deeds decode_deeds(const ls_deeds &wire) {
	Deeds deeds;
	deeds.accepted = wire.accepted;
	const std::uint64_t first = wire.writes > LS_WRITES ? wire.writes - LS_WRITES : 0;
	for (std::uint64_t i = first; i < wire.writes; i++) {
		const ls_write &write = wire.last[i % LS_WRITES];
		if (write.path[0] != '\0') {
			deeds.writes.push_back({write.time_ns, std::string(write.path, strnlen(write.path, sizeof(write.path)))});
		}
	}
	if (wire.signal != 0) {
		deeds.signal = Deeds::SignalSent{static_cast<int>(wire.signal), wire.signal_ns, wire.sender, comm(wire.sender_comm),
		                                 wire.was_idle != 0};
	}
	return deeds;
}

} // namespace loopsnoop::collector
