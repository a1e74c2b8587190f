// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "collector/collector.h"
#include "inspect/programs.h"
#include "inspect/resolver.h"
#include "model/event.h"
#include "process/procfs.h"

namespace loopsnoop::inspect {

// Looks at threads while they sleep, from outside: the kernel's view of them, completed with what their memory holds. One thread.
class Inspector {
public:
	Inspector(collector::Collector &collector, process::ProcFs proc, Programs &programs, Resolver &resolver,
	          std::uint32_t stack_bytes)
	    : collector_(collector), proc_(std::move(proc)), programs_(programs), resolver_(resolver), stack_bytes_(stack_bytes) {}

	// Registers, kernel frames and descriptors of every thread; no user memory is read yet.
	[[nodiscard]] std::vector<ThreadSnapshot> snapshot(std::uint32_t pid) {
		walked_.reset();
		return collector_.snapshot(pid);
	}
	// Reads the user stack and the interpreter's frames of a sleeping thread, and the name that Python gave it.
	void read_stack(ThreadSnapshot &snapshot);
	// The interpreter's frames and the name only.
	void read_python(ThreadSnapshot &snapshot);
	// What it waits for now, as a wait of a loop. The stack must have been read.
	[[nodiscard]] RawWait wait(const ThreadSnapshot &snapshot) const;
	// For people: state, what it waits for, its stack (with names).
	[[nodiscard]] ThreadView view(ThreadSnapshot snapshot, bool with_native_stack);

private:
	collector::Collector &collector_;
	process::ProcFs proc_;
	Programs &programs_;
	Resolver &resolver_;
	std::uint32_t stack_bytes_;
	// The interpreter's threads, walked once for the threads of one look.
	struct Walked {
		std::uint32_t pid = 0;
		std::vector<runtimes::cpython::ThreadState> threads;
	};
	std::optional<Walked> walked_;
};

} // namespace loopsnoop::inspect
