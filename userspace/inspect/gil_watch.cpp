// SPDX-License-Identifier: Apache-2.0
#include "inspect/gil_watch.h"

#include <unistd.h>

#include <algorithm>

namespace loopsnoop::inspect {

std::optional<GilWatch::Thread> GilWatch::thread_of(const RawGilWait &wait) {
	auto *interpreter = programs_.interpreter(wait.pid);
	if (interpreter == nullptr) {
		return std::nullopt;
	}
	const auto tid = interpreter->tid_of({wait.holder_state, 0, wait.holder_thread_id, wait.holder_native_id});
	if (tid) {
		return Thread{*tid, programs_.thread_name(wait.pid, *tid, proc_.thread_name(wait.pid, *tid))};
	}
	// It has ended since. What it called itself is its number here, too, if it lived in our PID namespace.
	if (wait.holder_native_id != 0 && proc_.same_namespace(wait.pid, static_cast<std::uint32_t>(getpid()), "pid") == true) {
		return Thread{wait.holder_native_id, {}};
	}
	return std::nullopt;
}

void GilWatch::on(const RawGilWait &wait) {
	Loop &loop = loops_[wait.key];
	const std::uint64_t attributed_ns = loop.attributed_since_ns == wait.start_ns ? loop.attributed_ns : 0;
	add(loop, wait, wait.waited_ns - std::min(wait.waited_ns, attributed_ns));
}

bool GilWatch::add(Loop &loop, const RawGilWait &wait, std::uint64_t waited_ns) {
	if (loop.iteration != wait.iteration) {
		loop.iteration = wait.iteration;
		loop.threads.clear();
	}
	const auto [entry, fresh] = loop.threads.try_emplace({wait.holder_state, wait.holder_thread_id});
	if (fresh) {
		entry->second = thread_of(wait);
	}
	// A thread that cannot be named is none; one that is the loop itself was read while the GIL changed hands.
	if (!entry->second || entry->second->tid == wait.tid) {
		return false;
	}
	analysis::GilSample sample;
	sample.iteration = wait.iteration;
	sample.waited_ns = waited_ns;
	sample.tid = entry->second->tid;
	sample.thread = entry->second->name;
	if (auto *interpreter = programs_.interpreter(wait.pid)) {
		sample.python = interpreter->resolve(wait.python);
	}
	loop.holders.add(std::move(sample));
	return true;
}

void GilWatch::sample_holder(LoopKey key, std::uint32_t pid, std::uint32_t tid, std::uint64_t iteration, std::uint64_t since_ns,
                             std::uint64_t now_ns) {
	auto *interpreter = programs_.interpreter(pid);
	const auto holder = interpreter != nullptr ? interpreter->gil_holder() : std::nullopt;
	if (!holder) {
		return;
	}
	RawGilWait wait;
	wait.key = key;
	wait.pid = pid;
	wait.tid = tid;
	wait.iteration = iteration;
	wait.start_ns = since_ns;
	wait.holder_state = holder->thread_state;
	wait.holder_thread_id = holder->thread_id;
	wait.waited_ns = now_ns > since_ns ? now_ns - since_ns : 0;
	Loop &loop = loops_[key];
	// It is known which GIL the kernel side read; a subinterpreter's is not the one read here.
	const bool heard = loop.iteration == iteration && !loop.threads.empty();
	if (heard && !loop.threads.contains({wait.holder_state, wait.holder_thread_id})) {
		return;
	}
	if (loop.attributed_since_ns != since_ns) {
		loop.attributed_since_ns = since_ns;
		loop.attributed_ns = 0;
	}
	const std::uint64_t fresh_ns = wait.waited_ns - std::min(wait.waited_ns, loop.attributed_ns);
	wait.python = interpreter->frames(holder->thread_state);
	if (add(loop, wait, fresh_ns)) {
		loop.attributed_ns += fresh_ns;
	}
}

std::vector<GilHolding> GilWatch::holders(LoopKey key, std::uint64_t iteration) const {
	const auto loop = loops_.find(key);
	return loop != loops_.end() ? loop->second.holders.of(iteration) : std::vector<GilHolding>();
}

} // namespace loopsnoop::inspect
