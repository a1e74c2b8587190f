// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "collector/collector.h"
#include "inspect/programs.h"
#include "inspect/resolver.h"
#include "model/event.h"
#include "process/memory.h"
#include "process/procfs.h"
#include "runtimes/cpython/page_cache.h"

namespace loopsnoop::inspect {

// Reads threads while they sleep, from outside: the kernel's view of them, completed with what their memory holds. One thread.
class Inspector {
public:
	Inspector(collector::Collector &collector, process::ProcFs proc, Programs &programs, Resolver &resolver,
	          std::uint32_t stack_bytes)
	    : collector_(collector), proc_(std::move(proc)), programs_(programs), resolver_(resolver), stack_bytes_(stack_bytes) {}

	// Registers, kernel frames and descriptors of every thread; no user memory is read yet.
	[[nodiscard]] std::vector<ThreadSnapshot> snapshot(std::uint32_t pid) {
		snapshot_.reset();
		return collector_.followed().snapshot(pid);
	}
	// Reads the user stack and the interpreter's frames of a sleeping thread, and the name that Python gave it.
	void read_stack(ThreadSnapshot &snapshot);
	// Of a capture that copied less than the whole stack, while the thread sleeps on in the same place: the rest.
	static void complete_stack(RawStack &stack);
	// The interpreter's frames and the name only.
	void read_python(ThreadSnapshot &snapshot);
	// The interpreter's frames (innermost first) that a running thread has at so many moments, or as many as that time allows.
	// They move while they are read: what did not fit together is not among them.
	[[nodiscard]] std::vector<std::vector<SourceFrame>> moments(std::uint32_t pid, std::uint32_t tid, std::size_t most,
	                                                            std::uint64_t budget_ns);
	// What it waits for now, as a wait of a loop. The stack must have been read.
	[[nodiscard]] RawWait wait(const ThreadSnapshot &snapshot) const;
	// For people: state, what it waits for, its stack (with names).
	[[nodiscard]] ThreadView view(ThreadSnapshot snapshot, bool with_native_stack);
	// The same of many threads of one process, in their order. With `own`: native stacks of that thread and of the first 64 only,
	// of the others those of the interpreter and the kernel, to keep the snapshot short. Beyond the first 256 the memory of a
	// thread is read only while the snapshot has taken less than 200 ms (without `own` 3 s), or if it is `own` or holds that up.
	[[nodiscard]] std::vector<ThreadView> views(std::span<const ThreadSnapshot> snapshots, std::optional<std::uint32_t> own);

private:
	// A snapshot of the threads of a process: each read of its memory is a question to another process, and most of what Python's
	// threads hold lies in the same pages.
	struct Snapshot {
		explicit Snapshot(std::uint32_t of) : pid(of), target(of), pages(target) {}
		std::uint32_t pid;
		process::TargetMemory target;
		runtimes::cpython::PageCache pages;
		std::vector<runtimes::cpython::ThreadState> threads;
	};
	// The interpreter's threads, walked once. nullptr: no CPython.
	[[nodiscard]] const Snapshot *snapshot_of(std::uint32_t pid);
	[[nodiscard]] static ThreadView brief_view(const ThreadSnapshot &snapshot);
	void complete_chain(std::span<const ThreadSnapshot> snapshots, std::vector<ThreadView> &views, std::size_t whole,
	                    std::optional<std::uint32_t> own);
	void read_stacks(std::span<ThreadSnapshot *const> snapshots) const;
	void prefetch_python(std::span<const ThreadSnapshot> snapshots);

	collector::Collector &collector_;
	process::ProcFs proc_;
	Programs &programs_;
	Resolver &resolver_;
	std::uint32_t stack_bytes_;
	std::unique_ptr<Snapshot> snapshot_;
};

} // namespace loopsnoop::inspect
