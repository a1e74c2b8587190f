// SPDX-License-Identifier: Apache-2.0
#include "locks/thread_names.h"

#include <algorithm>
#include <vector>

#include "arch/cpu.h"

namespace loopsnoop::locks {

std::optional<Holder> thread_by_inner_tid(const process::ProcFs &proc, std::uint32_t pid, std::uint64_t inner_tid) {
	if (inner_tid == 0) {
		return std::nullopt;
	}
	const auto is_it = [&](const process::ThreadEntry &thread) {
		const auto status = proc.status(thread.tid);
		// A main thread that has ended stays as a zombie as long as the others live: it holds nothing that it could release.
		return status && !status->nspids.empty() && status->nspids.back() == inner_tid && status->state != 'Z' &&
		       status->state != 'X';
	};
	const std::vector<process::ThreadEntry> threads = proc.threads(pid);
	// Mostly the target shares our PID namespace: one question instead of one a thread.
	const auto same = std::find_if(threads.begin(), threads.end(), [&](const auto &thread) { return thread.tid == inner_tid; });
	auto found = same != threads.end() && is_it(*same) ? same : std::find_if(threads.begin(), threads.end(), is_it);
	if (found == threads.end()) {
		return std::nullopt;
	}
	return Holder{found->tid, found->name, false};
}

std::optional<Holder> thread_by_ident(const process::ProcFs &proc, std::uint32_t pid, const process::Memory &memory,
                                      const runtimes::cpython::Interpreter &interpreter, std::uint64_t ident) {
	if (ident == 0) {
		return std::nullopt;
	}
	const auto threads = interpreter.threads();
	const auto owner =
	    std::find_if(threads.begin(), threads.end(), [&](const auto &thread) { return thread.thread_id == ident; });
	if (owner == threads.end()) {
		return std::nullopt;
	}
	std::uint64_t inner_tid = owner->native_id;
	if (inner_tid == 0 && memory.read_value<std::uint64_t>(ident) == ident) {
		// Before 3.11 glibc's is asked; its control block begins with its own address (tcbhead_t.tcb). Where it is some other
		// number, it is no thread's of this process.
		inner_tid = memory.read_value<std::uint32_t>(ident + arch::glibc_tid_offset).value_or(0);
	}
	return thread_by_inner_tid(proc, pid, inner_tid);
}

} // namespace loopsnoop::locks
