// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <optional>
#include <vector>

#include "model/application.h"
#include "runtimes/cpython/asyncio/loop_state.h"
#include "runtimes/cpython/asyncio/registry.h"
#include "runtimes/cpython/asyncio/snapshot.h"
#include "runtimes/cpython/asyncio/task.h"
#include "runtimes/cpython/object_reader.h"
#include "runtimes/cpython/page_cache.h"

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

TaskReader::Step TaskReader::step(Interpreter &python, std::uint32_t tid) {
	find_lists(python);
	const auto view = python.view();
	constexpr std::uint8_t first_with_section = 14; // which has the running task, too
	if (current_tasks_.empty() && view.version.minor < first_with_section) {
		const PageCache cache(view.memory);
		ObjectReader reader(cache, view.offsets);
		current_tasks_ = find_current_tasks(reader, cache, view.runtime);
	}
	const auto state = python.thread_state(tid, 0);
	const auto now = [&]() -> Step {
		PageCache cache(view.memory);
		ObjectReader reader(cache, view.offsets);
		const Registry registry = read_running(reader, view.runtime, view.version.minor, debug_, current_tasks_);
		for (const RunningLoop &running : registry.loops) {
			if (running.thread.address != state) {
				continue;
			}
			Step step{std::nullopt, queued_callbacks(reader, running.loop)};
			if (running.task == 0) {
				return step;
			}
			std::optional<FutureLayout> layout = future_layout(view.version.minor, reader, running.task, debug_);
			const auto head = Futures(reader, layout).head(running.task);
			step.task = head ? std::optional(Running{running.task, head->name, head->coroutine}) : std::nullopt;
			return step;
		}
		return {};
	};
	Step first = now();
	if (first.task && now().task != first.task) {
		first.task.reset();
	}
	return first;
}

} // namespace loopsnoop::runtimes::cpython::asyncio
