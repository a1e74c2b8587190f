// SPDX-License-Identifier: Apache-2.0
#include "collector/decode_parts.h"

#include <algorithm>

#include "collector/decode_fd.h"

namespace loopsnoop::collector {

namespace {

constexpr std::uint64_t unknown_time = ~0ULL;

static_assert(LS_REGISTERS == UserRegisters::count, "bpf/arch and userspace/arch have the same registers");

} // namespace

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

std::optional<Runner> decode_runner(const ls_waker &wire, std::uint64_t ran_ns) {
	if (ran_ns == 0 || wire.pid == 0) {
		return std::nullopt;
	}
	return Runner{wire.pid, wire.tid, comm(wire.process_comm), comm(wire.comm), ran_ns};
}

Breakdown decode_account(const ls_part (&account)[LS_CAUSES]) {
	Breakdown breakdown{};
	for (std::size_t i = 0; i < cause_count; i++) {
		breakdown.at(i) = {account[i].ns, account[i].count};
	}
	return breakdown;
}

} // namespace loopsnoop::collector
