// SPDX-License-Identifier: Apache-2.0
#include "inspect/inspector.h"

#include <cstddef>
#include <span>
#include <utility>

#include "collector/live_call.h"
#include "process/memory.h"

namespace loopsnoop::inspect {

namespace {

constexpr std::uint64_t page_bytes = 4096;

// In pieces that end at page boundaries: what lies behind the last page of a stack cannot be read.
std::vector<std::uint8_t> read_stack_bytes(const process::Memory &memory, std::uint64_t address, std::size_t most) {
	std::vector<std::uint8_t> bytes(most + page_bytes - address % page_bytes);
	const std::size_t n = memory.read_some(address, std::as_writable_bytes(std::span(bytes)));
	bytes.resize(n);
	bytes.shrink_to_fit();
	return bytes;
}

} // namespace

void Looker::read_stack(ThreadLook &look) {
	if (look.running || !look.stack.have_registers) {
		return;
	}
	const process::TargetMemory memory(look.pid);
	look.stack.stack_address = look.stack.registers.sp();
	look.stack.stack_bytes = read_stack_bytes(memory, look.stack.stack_address, stack_bytes_);
	read_python(look);
}

void Looker::read_python(ThreadLook &look) {
	auto *interpreter = programs_.interpreter(look.pid);
	if (interpreter == nullptr) {
		return;
	}
	if (!walked_ || walked_->pid != look.pid) {
		walked_ = Walked{look.pid, interpreter->threads()};
	}
	if (const auto state = interpreter->thread_state(look.tid, look.fs_base, walked_->threads)) {
		auto named = interpreter->named_frames(*state);
		look.thread = named.name.value_or(look.thread);
		look.stack.python = std::move(named.frames);
	}
}

RawWait Looker::wait(const ThreadLook &look) const {
	RawWait wait;
	wait.pid = look.pid;
	wait.tid = look.tid;
	wait.syscall = look.syscall;
	wait.start_ns = look.off_ns;
	wait.off_ns = look.off_ns != 0 && look.now_ns > look.off_ns ? look.now_ns - look.off_ns : 0;
	wait.end_ns = look.now_ns;
	wait.count = 1;
	wait.ongoing = true;
	auto call = collector::read_live_call(look, proc_, process::TargetMemory(look.pid));
	wait.cause = call.cause;
	wait.target = std::move(call.target);
	wait.stack = look.stack;
	return wait;
}

ThreadView Looker::view(ThreadLook look, bool with_native_stack) {
	ThreadView view;
	view.tid = look.tid;
	view.state = look.state;
	const bool asleep = !look.running && look.stack.have_registers;
	if (!asleep) {
		read_python(look); // its frames move, its name does not
		view.thread = look.thread;
		return view;
	}
	if (look.off_ns != 0 && look.now_ns >= look.off_ns) {
		view.waited_ns = look.now_ns - look.off_ns;
	}
	read_stack(look);
	view.thread = look.thread;
	const RawWait raw = wait(look);
	Cause cause = raw.cause;
	view.resource = resolver_.resource(look.pid, raw.target, cause);
	view.cause = cause;
	view.syscall = Resolver::syscall_text(look.syscall);
	resolver_.view_file_lock(look.pid, view.syscall, raw.target, view.resource);
	if (!with_native_stack) {
		look.stack.have_registers = false;
		look.stack.stack_bytes.clear();
	}
	view.stack = resolver_.stack(look.stack);
	resolver_.view_lock(look.stack, *view.stack, view.resource);
	return view;
}

} // namespace loopsnoop::inspect
