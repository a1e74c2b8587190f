// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/asyncio/snapshot.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "model/application.h"
#include "runtimes/cpython/asyncio/join.h"
#include "runtimes/cpython/asyncio/loop_state.h"
#include "runtimes/cpython/asyncio/registry.h"
#include "runtimes/cpython/asyncio/task.h"
#include "runtimes/cpython/asyncio/waits.h"
#include "runtimes/cpython/asyncio/workers.h"
#include "runtimes/cpython/gevent/greenlets.h"
#include "runtimes/cpython/page_cache.h"
#include "runtimes/cpython/trio/tasks.h"

namespace loopsnoop::runtimes::cpython::asyncio {

namespace {

constexpr std::size_t max_loops = 256;
constexpr std::size_t max_callbacks = 16;

// One read of everything, from the lists to the values.
class Reading {
public:
	Reading(Interpreter &python, const std::optional<DebugSection> &debug, trio::KnownRunners &runners, TaskSnapshot &into,
	        std::size_t max_waits)
	    : python_(python), view_(python.view()), debug_(debug), runners_(runners), into_(into), waits_left_(max_waits),
	      cache_(view_.memory), reader_(cache_, view_.offsets) {}

	void read(Greenlets greenlets);

private:
	[[nodiscard]] Registry list();
	void read_workers();
	[[nodiscard]] Task task_of(const RawTask &raw, const std::vector<RunningLoop> &running);
	[[nodiscard]] std::vector<SourceFrame> frames_of(const AwaitChain &chain);
	[[nodiscard]] std::vector<SourceFrame> running_frames(const RawTask &raw, const RunningLoop &loop);
	[[nodiscard]] TaskLoop loop_of(std::uint64_t loop, const std::vector<RunningLoop> &running);
	void add_callbacks(TaskLoop &loop, const LoopState &state);
	void read_trio();
	[[nodiscard]] Task trio_task(const RawTask &raw, const trio::Runner &runner);
	void read_gevent();
	[[nodiscard]] Task running_greenlet(const RawTask &raw, const ThreadState &thread);
	[[nodiscard]] Task suspended_task(const RawTask &raw);

	Interpreter &python_;
	Interpreter::View view_;
	const std::optional<DebugSection> &debug_;
	trio::KnownRunners &runners_;
	TaskSnapshot &into_;
	std::size_t waits_left_;
	PageCache cache_;
	ObjectReader reader_;
	std::optional<FutureLayout> layout_;
	Workers workers_;
	std::map<std::uint64_t, LoopState> states_;
};

Registry Reading::list() {
	constexpr int tries = 4;
	Registry registry;
	for (int i = 0; i < tries; ++i) {
		PageCache cache(view_.memory);
		ObjectReader reader(cache, view_.offsets);
		Registry next = read_registry(reader, cache, view_.runtime, view_.version.minor, debug_);
		const bool more = next.tasks.size() >= registry.tasks.size();
		if (more) {
			registry = std::move(next);
		}
		if (!registry.overtaken || cache.exhausted()) {
			break;
		}
	}
	return registry;
}

void Reading::read_workers() {
	workers_.read(reader_, cache_, view_.codes, walk_threads(cache_, view_.offsets, view_.runtime));
	for (Worker &worker : workers_.all()) {
		worker.tid = python_.tid_of(worker.state).value_or(0);
		worker.thread = python_.named_frames(worker.state.address).name.value_or("");
	}
}

std::vector<SourceFrame> Reading::frames_of(const AwaitChain &chain) {
	std::vector<SourceFrame> frames;
	frames.reserve(chain.links.size());
	for (const ChainLink &link : chain.links) {
		frames.push_back(view_.codes.resolve(cache_, link.at));
	}
	return frames;
}

// The thread's frames down to the task's own coroutine. Empty: it has gone on to another one.
std::vector<SourceFrame> Reading::running_frames(const RawTask &raw, const RunningLoop &loop) {
	const CoroutineLayout &coroutine = view_.offsets.coroutine;
	const bool embedded = coroutine.form >= CoroutineForm::embedded_with_depth;
	const std::uint64_t outermost = embedded ? raw.coro + coroutine.frame : reader_.word(raw.coro + coroutine.frame);
	const PageCache now(view_.memory);
	std::vector<SourceFrame> frames;
	for (const PlacedFrame &placed : walk_frames(now, view_.offsets.frames, loop.thread.address)) {
		frames.push_back(view_.codes.resolve(now, placed.frame));
		if (placed.address == outermost) {
			std::erase_if(frames, is_init_cleanup);
			return frames;
		}
	}
	return {};
}

Task Reading::task_of(const RawTask &raw, const std::vector<RunningLoop> &running) {
	Task task;
	task.id = raw.address;
	task.name = raw.name;
	task.coroutine = raw.coroutine;
	task.changed = raw.changed;
	const auto runs = std::ranges::find(running, raw.address, &RunningLoop::task);
	if (runs != running.end()) {
		task.state = TaskState::running;
		task.stack = running_frames(raw, *runs);
		task.changed = task.changed || task.stack.empty();
	} else {
		const auto frames = frames_of(raw.chain);
		if (waits_left_ > 0) {
			waits_left_--;
			Futures futures(reader_, layout_);
			WaitReader waits(reader_, futures, workers_);
			task.waits_for = waits.read(raw, frames, states_[raw.loop], monotonic_ns());
		}
		if (task.waits_for && task.waits_for->kind == WaitsForKind::ready) {
			task.state = TaskState::ready;
		}
		task.stack.assign(frames.rbegin(), frames.rend());
	}
	if (const SourceFrame *culprit = innermost_application_frame(task.stack)) {
		task.culprit = *culprit;
	}
	return task;
}

void Reading::add_callbacks(TaskLoop &loop, const LoopState &state) {
	for (const LoopState::Callback &callback : state.callbacks) {
		if (loop.callbacks.size() >= max_callbacks) {
			break;
		}
		ReadyCallback ready;
		if (callback.task != 0) {
			ready.task = callback.task;
		} else if (callback.code != 0) {
			ready.callback = view_.begin_of(cache_, callback.code);
		}
		loop.callbacks.push_back(std::move(ready));
	}
}

TaskLoop Reading::loop_of(std::uint64_t address, const std::vector<RunningLoop> &running) {
	TaskLoop loop;
	loop.framework = "asyncio";
	loop.address = address;
	loop.type = reader_.type_name(address);
	const auto runs = std::ranges::find(running, address, &RunningLoop::loop);
	if (runs != running.end()) {
		loop.tid = python_.tid_of(runs->thread).value_or(0);
		if (runs->task != 0) {
			loop.running = runs->task;
		}
	}
	Futures futures(reader_, layout_);
	LoopState &state = states_[address] = read_loop_state(reader_, cache_, futures, address);
	loop.ready = state.ready;
	loop.timers = state.timers;
	if (state.next_timer) {
		constexpr double second = 1e9;
		loop.next_timer_in_ns = static_cast<std::int64_t>(*state.next_timer * second) - static_cast<std::int64_t>(monotonic_ns());
	}
	add_callbacks(loop, state);
	return loop;
}

// Of a framework without futures: by where it stands alone.
Task Reading::suspended_task(const RawTask &raw) {
	Task task;
	task.id = raw.address;
	task.name = raw.name;
	task.coroutine = raw.coroutine;
	task.changed = raw.changed;
	const auto frames = frames_of(raw.chain);
	Futures futures(reader_, layout_);
	task.waits_for = WaitReader(reader_, futures, workers_).by_place(raw, frames);
	task.stack.assign(frames.rbegin(), frames.rend());
	if (const SourceFrame *culprit = innermost_application_frame(task.stack)) {
		task.culprit = *culprit;
	}
	return task;
}

Task Reading::trio_task(const RawTask &raw, const trio::Runner &runner) {
	const bool is_ready = std::ranges::find(runner.ready_tasks, raw.address) != runner.ready_tasks.end();
	if (raw.chain.state != AwaitChain::State::running) {
		Task task = suspended_task(raw);
		const auto deadline = runner.clock_offset ? trio::deadline_of(reader_, raw.address) : std::nullopt;
		if (task.waits_for && deadline) {
			task.waits_for->ends_in_ns = ends_in(*deadline - *runner.clock_offset, monotonic_ns());
		}
		if (is_ready) {
			task.state = TaskState::ready;
			task.waits_for.emplace();
			task.waits_for->kind = WaitsForKind::ready;
		}
		return task;
	}
	Task task;
	task.id = raw.address;
	task.name = raw.name;
	task.coroutine = raw.coroutine;
	task.changed = raw.changed;
	task.state = TaskState::running;
	task.stack = running_frames(raw, {runner.thread, raw.loop, raw.address});
	if (const SourceFrame *culprit = innermost_application_frame(task.stack)) {
		task.culprit = *culprit;
	}
	return task;
}

void Reading::read_trio() {
	const auto threads = walk_threads(cache_, view_.offsets, view_.runtime);
	for (const trio::Runner &runner : trio::read_runners(reader_, cache_, view_.codes, threads, runners_, into_.overtaken)) {
		TaskLoop loop;
		loop.framework = "trio";
		loop.address = runner.runner;
		loop.tid = python_.tid_of(runner.thread).value_or(0);
		loop.ready = runner.ready;
		for (const std::uint64_t task : runner.ready_tasks) {
			if (loop.callbacks.size() < max_callbacks) {
				loop.callbacks.push_back({std::nullopt, task});
			}
		}
		for (const RawTask &raw : runner.tasks) {
			loop.tasks.push_back(trio_task(raw, runner));
			if (loop.tasks.back().state == TaskState::running) {
				loop.running = raw.address;
			}
		}
		Futures futures(reader_, layout_);
		WaitReader waits(reader_, futures, workers_);
		join_tasks(reader_, waits, loop, runner.tasks);
		into_.loops.push_back(std::move(loop));
	}
}

// Its frames are those of the thread, which begin anew with each greenlet.
Task Reading::running_greenlet(const RawTask &raw, const ThreadState &thread) {
	Task task;
	task.id = raw.address;
	task.name = raw.name;
	task.coroutine = raw.coroutine;
	task.state = TaskState::running;
	for (const PlacedFrame &placed : walk_frames(cache_, view_.offsets.frames, thread.address)) {
		task.stack.push_back(view_.codes.resolve(cache_, placed.frame));
	}
	std::erase_if(task.stack, is_init_cleanup);
	if (const SourceFrame *culprit = innermost_application_frame(task.stack)) {
		task.culprit = *culprit;
	}
	return task;
}

void Reading::read_gevent() {
	const gevent::Hubs found = gevent::read_hubs(view_.memory, view_.codes, view_.offsets, view_.runtime);
	into_.overtaken = into_.overtaken || found.overtaken;
	for (const gevent::Hub &hub : found.hubs) {
		TaskLoop loop;
		loop.framework = "gevent";
		loop.address = hub.address;
		loop.tid = hub.thread ? python_.tid_of(*hub.thread).value_or(0) : 0;
		for (const RawTask &raw : hub.tasks) {
			loop.tasks.push_back(suspended_task(raw));
		}
		if (hub.running && hub.thread) {
			loop.running = hub.running->address;
			loop.tasks.push_back(running_greenlet(*hub.running, *hub.thread));
		}
		into_.loops.push_back(std::move(loop));
	}
}

void Reading::read(Greenlets greenlets) {
	const Registry registry = list();
	into_.overtaken = into_.overtaken || registry.overtaken;
	into_.left_out += registry.left_out;
	if (registry.unknown && registry.imported) {
		into_.notes.emplace_back(
		    "this CPython does not say where it lists asyncio's tasks (no .AsyncioDebug section is mapped): those "
		    "written in C are not shown");
	}
	const auto one = std::ranges::find_if(registry.tasks, [&](std::uint64_t task) { return is_c_task(reader_, task); });
	if (one != registry.tasks.end()) {
		layout_ = future_layout(view_.version.minor, reader_, *one, debug_);
		if (!layout_) {
			into_.notes.emplace_back("asyncio's tasks do not look as those of CPython " + view_.version.text() + " do: not read");
		}
	}
	const std::vector<RawTask> raw = read_tasks(reader_, cache_, layout_, registry.tasks, into_.overtaken);
	cache_.clear(); // what comes now is of the time after the chains were confirmed

	std::vector<std::uint64_t> loops;
	const auto add = [&](std::uint64_t loop) {
		if (std::ranges::find(loops, loop) == loops.end() && loops.size() < max_loops && !reader_.type_name(loop).empty()) {
			loops.push_back(loop);
		}
	};
	for (const RunningLoop &running : registry.loops) {
		add(running.loop);
	}
	for (const RawTask &task : raw) {
		add(task.loop);
	}
	read_workers();
	for (const std::uint64_t address : loops) {
		TaskLoop loop = loop_of(address, registry.loops);
		for (const RawTask &task : raw) {
			if (task.loop == address) {
				loop.tasks.push_back(task_of(task, registry.loops));
			}
		}
		Futures futures(reader_, layout_);
		WaitReader waits(reader_, futures, workers_);
		join_tasks(reader_, waits, loop, raw);
		into_.loops.push_back(std::move(loop));
	}
	read_trio();
	if (greenlets == Greenlets::too) {
		read_gevent();
	}
	if (cache_.exhausted()) {
		into_.overtaken = true;
		into_.notes.emplace_back("reading the tasks took too long and was broken off: some are not known");
	}
}

} // namespace

void TaskReader::find_lists(Interpreter &python) {
	constexpr std::uint8_t first_with_section = 14;
	const auto view = python.view();
	if (!debug_ && view.version.minor >= first_with_section) {
		debug_ = find_debug_section(proc_, pid_, view.memory, without_debug_);
	}
}

void TaskReader::read(Interpreter &python, TaskSnapshot &into, Greenlets greenlets, std::size_t max_waits) {
	find_lists(python);
	Reading(python, debug_, trio_runners_, into, max_waits).read(greenlets);
}

} // namespace loopsnoop::runtimes::cpython::asyncio
