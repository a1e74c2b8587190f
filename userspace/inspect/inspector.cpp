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

void Inspector::read_stack(ThreadSnapshot &snapshot) {
	if (snapshot.running || !snapshot.stack.have_registers) {
		return;
	}
	const process::TargetMemory memory(snapshot.pid);
	snapshot.stack.stack_address = snapshot.stack.registers.sp();
	snapshot.stack.stack_bytes = read_stack_bytes(memory, snapshot.stack.stack_address, stack_bytes_);
	read_python(snapshot);
}

void Inspector::read_python(ThreadSnapshot &snapshot) {
	auto *interpreter = programs_.interpreter(snapshot.pid);
	if (interpreter == nullptr) {
		return;
	}
	if (!walked_ || walked_->pid != snapshot.pid) {
		walked_ = Walked{snapshot.pid, interpreter->threads()};
	}
	if (const auto state = interpreter->thread_state(snapshot.tid, snapshot.thread_pointer, walked_->threads)) {
		auto named = interpreter->named_frames(*state);
		snapshot.thread = named.name.value_or(snapshot.thread);
		snapshot.stack.python = std::move(named.frames);
	}
}

RawWait Inspector::wait(const ThreadSnapshot &snapshot) const {
	RawWait wait;
	wait.pid = snapshot.pid;
	wait.tid = snapshot.tid;
	wait.syscall = snapshot.syscall;
	wait.start_ns = snapshot.off_since_ns;
	wait.off_ns =
	    snapshot.off_since_ns != 0 && snapshot.now_ns > snapshot.off_since_ns ? snapshot.now_ns - snapshot.off_since_ns : 0;
	wait.end_ns = snapshot.now_ns;
	wait.count = 1;
	wait.ongoing = true;
	auto call = collector::read_live_call(snapshot, proc_, process::TargetMemory(snapshot.pid));
	wait.cause = call.cause;
	wait.target = std::move(call.target);
	wait.stack = snapshot.stack;
	return wait;
}

ThreadView Inspector::view(ThreadSnapshot snapshot, bool with_native_stack) {
	ThreadView view;
	view.tid = snapshot.tid;
	view.state = snapshot.state;
	const bool asleep = !snapshot.running && snapshot.stack.have_registers;
	if (!asleep) {
		read_python(snapshot); // its frames move, its name does not
		view.thread = snapshot.thread;
		return view;
	}
	if (snapshot.off_since_ns != 0 && snapshot.now_ns >= snapshot.off_since_ns) {
		view.waited_ns = snapshot.now_ns - snapshot.off_since_ns;
	}
	read_stack(snapshot);
	view.thread = snapshot.thread;
	const RawWait raw = wait(snapshot);
	Cause cause = raw.cause;
	view.resource = resolver_.resource(snapshot.pid, raw.target, cause);
	view.cause = cause;
	view.syscall = Resolver::syscall_text(snapshot.syscall);
	resolver_.view_file_lock(snapshot.pid, view.syscall, raw.target, view.resource);
	if (!with_native_stack) {
		snapshot.stack.have_registers = false;
		snapshot.stack.stack_bytes.clear();
	}
	view.stack = resolver_.stack(snapshot.stack);
	resolver_.view_lock(snapshot.stack, *view.stack, view.resource);
	return view;
}

} // namespace loopsnoop::inspect
