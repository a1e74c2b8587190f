// SPDX-License-Identifier: Apache-2.0
#include "inspect/running_stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>
#include <thread>
#include <utility>

namespace loopsnoop::inspect {

namespace {

constexpr int reads = 20;
constexpr auto read_pause = std::chrono::milliseconds(1);
constexpr std::size_t max_read_threads = 64;

bool runs(const ThreadView &thread) {
	return thread.state == ThreadView::State::running || thread.state == ThreadView::State::runnable;
}

bool lacks_stack(const ThreadView &thread) { return runs(thread) && !thread.stack; }

bool lacks_python(const ThreadView &thread) { return runs(thread) && (!thread.stack || thread.stack->python.empty()); }

std::string key_of(const std::vector<SourceFrame> &frames) {
	std::string key;
	for (const SourceFrame &frame : frames) {
		key += frame.function + '\n' + frame.file + '\n';
	}
	return key;
}

std::string key_of(const Stack &stack) {
	if (!stack.python.empty() || !stack.javascript.empty()) {
		return key_of(stack.python) + key_of(stack.javascript);
	}
	std::string key;
	for (std::size_t i = 0; i < stack.native.size(); i++) {
		const NativeFrame &frame = stack.native[i];
		key += frame.function ? *frame.function : frame.module.value_or("");
		// Where a caller without a name stands is where it will be returned to; the innermost frame is anywhere.
		key += frame.function || i == 0 ? "\n" : fmt::format("+{:x}\n", frame.offset);
	}
	return key;
}

bool is_whole(const std::vector<SourceFrame> &frames) {
	return !frames.empty() && std::ranges::none_of(frames, [](const SourceFrame &frame) { return frame.function == "?"; });
}

// What the threads' PyThreadStates say, again and again for some milliseconds.
void read_python(Programs &programs, Dump &dump) {
	auto *python = programs.interpreter(dump.pid);
	std::vector<ThreadView *> threads;
	for (ThreadView &thread : dump.threads) {
		if (lacks_python(thread) && threads.size() < max_read_threads) {
			threads.push_back(&thread);
		}
	}
	if (python == nullptr || threads.empty()) {
		return;
	}
	std::map<ThreadView *, MostFrequentStack> seen;
	for (int i = 0; i < reads; ++i) {
		const auto states = python->threads();
		for (ThreadView *thread : threads) {
			const auto state = python->thread_state(thread->tid, 0, states);
			auto frames = state ? python->resolve(python->frames(*state)) : std::vector<SourceFrame>();
			if (is_whole(frames)) {
				Stack stack;
				stack.python = std::move(frames);
				seen[thread].add(std::move(stack));
			}
		}
		std::this_thread::sleep_for(read_pause);
	}
	for (auto &[thread, stacks] : seen) {
		thread->stack = thread->stack.value_or(Stack());
		thread->stack->python = std::move(stacks.take()->python);
		thread->sampled = true;
	}
}

// Those that have come to sleep since; what is told of them is of two moments.
void view_asleep(Inspector &inspector, Dump &dump) {
	if (std::ranges::none_of(dump.threads, lacks_stack)) {
		return;
	}
	std::vector<ThreadSnapshot> asleep;
	for (ThreadSnapshot &snapshot : inspector.snapshot(dump.pid)) {
		const auto view = std::ranges::find(dump.threads, snapshot.tid, &ThreadView::tid);
		const bool sleeps = snapshot.state != ThreadView::State::running && snapshot.state != ThreadView::State::runnable;
		if (view != dump.threads.end() && lacks_stack(*view) && sleeps) {
			snapshot.off_since_ns = 0; // nothing was attached that would know since when
			asleep.push_back(std::move(snapshot));
		}
	}
	for (ThreadView &now : inspector.views(asleep, std::nullopt)) {
		now.moved = true;
		*std::ranges::find(dump.threads, now.tid, &ThreadView::tid) = std::move(now);
	}
}

std::optional<PythonLayout> layout_of(runtimes::cpython::Interpreter *python) {
	const auto threads = python != nullptr ? python->threads() : std::vector<runtimes::cpython::ThreadState>();
	return threads.empty() ? std::nullopt : std::optional(python->layout_for(threads.front().address));
}

} // namespace

void MostFrequentStack::add(Stack stack) {
	Seen &seen = seen_[key_of(stack)];
	seen.count++;
	seen.latest = std::move(stack);
}

std::optional<Stack> MostFrequentStack::take() {
	const auto most = std::ranges::max_element(seen_, {}, [](const auto &entry) { return entry.second.count; });
	return most != seen_.end() ? std::optional(std::move(most->second.latest)) : std::nullopt;
}

std::vector<std::uint32_t> threads_to_sample(const Dump &dump) {
	std::vector<const ThreadView *> threads;
	for (const ThreadView &thread : dump.threads) {
		if (lacks_stack(thread)) {
			threads.push_back(&thread);
		}
	}
	std::ranges::stable_sort(threads, std::greater(), [&](const ThreadView *thread) {
		return std::pair(thread->tid == dump.pid, thread->state == ThreadView::State::running);
	});
	threads.resize(std::min(threads.size(), max_sampled_threads));
	std::vector<std::uint32_t> tids;
	std::ranges::transform(threads, std::back_inserter(tids), &ThreadView::tid);
	return tids;
}

void sample_running(collector::Collector &collector, Inspector &inspector, Programs &programs, Resolver &resolver, Dump &dump) {
	collector::SamplingRequest request;
	request.tids = threads_to_sample(dump);
	if (request.tids.empty()) {
		return;
	}
	request.python = layout_of(programs.interpreter(dump.pid));
	std::map<std::uint32_t, MostFrequentStack> seen;
	// By name at once: what V8 compiles and allocates moves.
	const std::vector<std::uint32_t> refused = collector.sample_threads(request, [&](RawSample &&sample) {
		Stack stack = resolver.stack(sample.stack);
		if (!is_whole(stack.python)) {
			stack.python.clear(); // it was in the middle of a call
		}
		if (!stack.empty()) {
			seen[sample.tid].add(std::move(stack));
		}
	});
	for (ThreadView &thread : dump.threads) {
		if (const auto stacks = seen.find(thread.tid); stacks != seen.end() && lacks_stack(thread)) {
			thread.stack = stacks->second.take();
			thread.sampled = true;
		}
	}
	view_asleep(inspector, dump);
	read_python(programs, dump);
	for (ThreadView &thread : dump.threads) {
		if (lacks_stack(thread)) {
			const bool asked = std::ranges::find(request.tids, thread.tid) != request.tids.end();
			const bool was_refused = std::ranges::find(refused, thread.tid) != refused.end();
			thread.no_stack = was_refused ? NoStack::refused : asked ? NoStack::not_run : NoStack::too_many;
		}
	}
}

} // namespace loopsnoop::inspect
