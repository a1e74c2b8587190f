// SPDX-License-Identifier: Apache-2.0
#include "collector/decode.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "collector/decode_parts.h"

namespace loopsnoop::collector {

namespace {

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
	ended.runner = decode_runner(wire->runner, wire->runner_ns);
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

std::optional<Event> decode_process_event(std::span<const std::byte> record) {
	const auto wire = whole<ls_process_event>(record);
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
	case LS_RECORD_EXIT: return decode_process_event(record);
	case LS_RECORD_CANDIDATE: return decode_candidate(record);
	default: return std::nullopt;
	}
}

} // namespace loopsnoop::collector
