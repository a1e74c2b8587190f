// SPDX-License-Identifier: Apache-2.0
#include "collector/live_call.h"

#include <array>
#include <bit>
#include <cstdint>

#include "collector/decode_fd.h"
#include "collector/syscall_shapes.h"
#include "process/syscall_names.h"

namespace loopsnoop::collector {

namespace {

constexpr std::size_t max_descriptors = LS_FDS;

Cause cause_of(const DescriptorSnapshot &snapshot) {
	switch (snapshot.kind) {
	case DescriptorKind::socket: return Cause::socket;
	case DescriptorKind::pipe: return Cause::pipe;
	case DescriptorKind::file:
	case DescriptorKind::directory:
	case DescriptorKind::block_device: return Cause::file_io;
	case DescriptorKind::anonymous:
		return snapshot.path && snapshot.path->find("[pidfd]") != std::string::npos ? Cause::child : Cause::other;
	default: return Cause::other;
	}
}

std::vector<int> poll_descriptors(const ThreadSnapshot &snapshot, const process::Memory &memory, std::uint32_t &total) {
	struct PollEntry {
		std::int32_t fd;
		std::uint32_t events;
	};
	std::vector<int> fds;
	total = static_cast<std::uint32_t>(std::min<std::uint64_t>(snapshot.args[1], 0xffffff));
	for (std::size_t i = 0; i < total && i < max_descriptors; i++) {
		if (const auto entry = memory.read_value<PollEntry>(snapshot.args[0] + i * sizeof(PollEntry))) {
			fds.push_back(entry->fd);
		}
	}
	return fds;
}

std::vector<int> select_descriptors(const ThreadSnapshot &snapshot, const process::Memory &memory, std::uint32_t &total) {
	std::vector<int> fds;
	total = 0;
	const std::uint64_t limit = std::min<std::uint64_t>(snapshot.args[0], 1024);
	for (std::uint64_t word = 0; word * 64 < limit; word++) {
		std::uint64_t bits = 0;
		for (const std::uint64_t set : {snapshot.args[1], snapshot.args[2]}) {
			if (set != 0) {
				bits |= memory.read_value<std::uint64_t>(set + word * 8).value_or(0);
			}
		}
		total += static_cast<std::uint32_t>(std::popcount(bits));
		for (; bits != 0 && fds.size() < max_descriptors; bits &= bits - 1) {
			fds.push_back(static_cast<int>(word * 64) + std::countr_zero(bits));
		}
	}
	return fds;
}

std::optional<std::uint64_t> read_timespec(const process::Memory &memory, std::uint64_t address, std::uint64_t scale) {
	if (address == 0) {
		return std::nullopt;
	}
	const auto time = memory.read_value<std::array<std::int64_t, 2>>(address);
	if (!time || (*time)[0] < 0 || (*time)[1] < 0) {
		return std::nullopt;
	}
	return static_cast<std::uint64_t>((*time)[0]) * 1'000'000'000 + static_cast<std::uint64_t>((*time)[1]) * scale;
}

std::optional<std::uint64_t> requested_time(const ThreadSnapshot &snapshot, const process::Memory &memory) {
	const auto name = process::syscall_name(snapshot.syscall.value_or(-1));
	if (name == "nanosleep") {
		return read_timespec(memory, snapshot.args[0], 1);
	}
	if (name == "clock_nanosleep") {
		return (snapshot.args[1] & 1) == 0 ? read_timespec(memory, snapshot.args[2], 1) : std::nullopt;
	}
	if (name == "poll") {
		return static_cast<std::int32_t>(snapshot.args[2]) < 0
		           ? std::nullopt
		           : std::optional<std::uint64_t>(static_cast<std::uint32_t>(snapshot.args[2]) * 1'000'000ULL);
	}
	if (name == "ppoll") {
		return read_timespec(memory, snapshot.args[2], 1);
	}
	// The kernel may have written the time that is left into select's own argument; pselect6 copies it.
	if (name == "select" || name == "pselect6") {
		return read_timespec(memory, snapshot.args[4], name == "select" ? 1000 : 1);
	}
	return std::nullopt;
}

void add_descriptors(LiveCall &call, const std::vector<int> &fds, std::uint32_t total, const ThreadSnapshot &snapshot,
                     const process::ProcFs &proc) {
	call.target.descriptors_total = total;
	for (const int fd : fds) {
		if (auto descriptor = proc.descriptor(snapshot.pid, fd)) {
			call.target.descriptors.push_back(std::move(*descriptor));
		}
	}
	if (total == 0) {
		call.cause = Cause::sleep;
	} else if (total == 1) {
		call.cause = call.target.descriptors.empty() ? Cause::other : cause_of(call.target.descriptors.front());
	} else {
		call.cause = Cause::poll;
	}
}

void add_path(LiveCall &call, const process::Memory &memory, std::uint64_t address) {
	constexpr std::size_t max_path = 4096;
	call.cause = Cause::file_io;
	call.target.path = memory.read_string(address, max_path);
}

} // namespace

LiveCall read_live_call(const ThreadSnapshot &snapshot, const process::ProcFs &proc, const process::Memory &memory) {
	static const auto shapes = syscall_shapes();
	LiveCall call;
	if (snapshot.stopped) {
		call.cause = Cause::stopped;
		return call;
	}
	if (!snapshot.syscall) {
		call.cause = Cause::page_fault;
		return call;
	}
	const auto number = static_cast<std::size_t>(*snapshot.syscall);
	std::uint32_t total = 0;
	switch (number < shapes.size() ? shapes.at(number) : std::uint8_t{LS_SHAPE_OTHER}) {
	case LS_SHAPE_FD:
		if (snapshot.descriptor) {
			call.target.descriptors.push_back(*snapshot.descriptor);
			call.target.descriptors_total = 1;
			call.cause = cause_of(*snapshot.descriptor);
		}
		break;
	case LS_SHAPE_PATH0: add_path(call, memory, snapshot.args[0]); break;
	case LS_SHAPE_PATH1:
		add_path(call, memory, snapshot.args[1]);
		if (static_cast<std::int32_t>(snapshot.args[0]) >= 0) {
			call.target.directory_fd = static_cast<std::int32_t>(snapshot.args[0]);
		}
		break;
	case LS_SHAPE_FILE: call.cause = Cause::file_io; break;
	case LS_SHAPE_FUTEX:
		call.cause = Cause::futex;
		call.target.futex_address = snapshot.args[0];
		break;
	case LS_SHAPE_SLEEP0:
	case LS_SHAPE_SLEEP2: call.cause = Cause::sleep; break;
	case LS_SHAPE_CHILD:
		call.cause = Cause::child;
		call.target.waits_for_child = true;
		call.target.child_pid = child_of_call(static_cast<std::int32_t>(*snapshot.syscall), snapshot.args[0], snapshot.args[1]);
		break;
	case LS_SHAPE_POLL: {
		const auto fds = poll_descriptors(snapshot, memory, total);
		add_descriptors(call, fds, total, snapshot, proc);
		break;
	}
	case LS_SHAPE_SELECT: {
		const auto fds = select_descriptors(snapshot, memory, total);
		add_descriptors(call, fds, total, snapshot, proc);
		break;
	}
	case LS_SHAPE_EPOLL: {
		auto fds = proc.epoll_targets(snapshot.pid, static_cast<int>(snapshot.args[0]));
		total = static_cast<std::uint32_t>(fds.size());
		if (fds.size() > max_descriptors) {
			fds.resize(max_descriptors);
		}
		add_descriptors(call, fds, total, snapshot, proc);
		if (total == 0) {
			call.cause = Cause::poll;
		}
		break;
	}
	case LS_SHAPE_URING: call.cause = Cause::poll; break;
	default: break;
	}
	call.target.sleeps = call.cause == Cause::sleep;
	if (call.target.sleeps) {
		call.target.requested_ns = requested_time(snapshot, memory);
	}
	return call;
}

} // namespace loopsnoop::collector
