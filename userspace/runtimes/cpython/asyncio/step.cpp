// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "model/application.h"
#include "runtimes/cpython/asyncio/loop_state.h"
#include "runtimes/cpython/asyncio/registry.h"
#include "runtimes/cpython/asyncio/snapshot.h"
#include "runtimes/cpython/asyncio/task.h"
#include "runtimes/cpython/gevent/current.h"
#include "runtimes/cpython/gevent/greenlets.h"
#include "runtimes/cpython/object_reader.h"
#include "runtimes/cpython/page_cache.h"
#include "runtimes/cpython/trio/tasks.h"

namespace loopsnoop::runtimes::cpython::asyncio {

// TaskReader's short questions: what does a loop do at this moment, what would it call?

std::optional<SourceFrame> TaskReader::called_for(Interpreter &python, std::uint64_t loop, int fd) {
	const auto view = python.view();
	const PageCache cache(view.memory);
	ObjectReader reader(cache, view.offsets);
	for (const std::uint64_t code : codes_called_for(reader, loop, fd)) {
		const std::vector<SourceFrame> begin{view.begin_of(cache, code)};
		if (innermost_application_frame(begin) != nullptr) {
			return begin.front();
		}
	}
	return std::nullopt;
}

// nullopt: no loop of asyncio runs in that thread.
std::optional<TaskReader::Step> TaskReader::step_of_asyncio(Interpreter::View &view, const ThreadState &thread) {
	PageCache cache(view.memory);
	ObjectReader reader(cache, view.offsets);
	const Registry registry = read_running(reader, view.runtime, view.version.minor, debug_, current_tasks_);
	const auto running =
	    std::ranges::find(registry.loops, thread.address, [](const RunningLoop &loop) { return loop.thread.address; });
	if (running == registry.loops.end()) {
		return std::nullopt;
	}
	Step step{std::nullopt, queued_callbacks(reader, running->loop)};
	if (running->task == 0) {
		return step;
	}
	std::optional<FutureLayout> layout = future_layout(view.version.minor, reader, running->task, debug_);
	const auto head = Futures(reader, layout).head(running->task);
	step.task = head ? std::optional(Running{running->task, head->name, head->coroutine}) : std::nullopt;
	return step;
}

std::optional<TaskReader::Running> TaskReader::task_of_trio(Interpreter::View &view, const ThreadState &thread) {
	const PageCache cache(view.memory);
	ObjectReader reader(cache, view.offsets);
	const auto task = trio::running_task(reader, cache, view.codes, thread);
	return task ? std::optional(Running{task->address, task->name, task->coroutine}) : std::nullopt;
}

std::optional<TaskReader::Running> TaskReader::task_of_gevent(Interpreter::View &view, const ThreadState &thread) {
	const PageCache cache(view.memory);
	ObjectReader reader(cache, view.offsets);
	const std::uint64_t now_ns = monotonic_ns();
	GreenletState &known = greenlet_states_[thread.address];
	if (gevent::current_greenlet(reader, known.address) == 0) {
		if (now_ns < known.next_try_ns) {
			return std::nullopt;
		}
		constexpr std::uint64_t pause_ns = 1'000'000'000; // a thread without greenlets seldom gets some
		const bool imported = gevent::is_imported(reader, view.runtime);
		known = {imported ? gevent::find_greenlet_state(reader, thread) : 0, now_ns + pause_ns};
	}
	const auto running = gevent::running_greenlet(reader, cache, view.codes, known.address, thread);
	return running ? std::optional(Running{running->address, running->name, running->coroutine}) : std::nullopt;
}

TaskReader::Step TaskReader::step(Interpreter &python, std::uint32_t tid) {
	find_lists(python);
	auto view = python.view();
	const auto threads = python.threads();
	const auto state = python.thread_state(tid, 0, threads);
	const auto thread = std::ranges::find(threads, state.value_or(0), &ThreadState::address);
	if (thread == threads.end()) {
		return {};
	}
	// Each is asked twice: a task that both answers name ran at one moment between them.
	const auto others = [&]() -> std::optional<Step> {
		if (auto task = task_of_trio(view, *thread)) {
			return Step{task_of_trio(view, *thread) == task ? task : std::nullopt, std::nullopt};
		}
		if (auto task = task_of_gevent(view, *thread)) {
			return Step{task_of_gevent(view, *thread) == task ? task : std::nullopt, std::nullopt};
		}
		return std::nullopt;
	};
	constexpr std::uint8_t first_with_section = 14; // which has the running task, too
	if (current_tasks_.empty() && view.version.minor < first_with_section) {
		if (auto step = others()) {
			return *step;
		}
		const PageCache cache(view.memory);
		ObjectReader reader(cache, view.offsets);
		current_tasks_ = find_current_tasks(reader, cache, view.runtime);
	}
	auto first = step_of_asyncio(view, *thread);
	if (first && first->task) {
		const auto again = step_of_asyncio(view, *thread);
		first->task = again && again->task == first->task ? first->task : std::nullopt;
	}
	if (!first) {
		first = others();
	}
	return first.value_or(Step());
}

} // namespace loopsnoop::runtimes::cpython::asyncio
