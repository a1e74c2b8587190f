// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/trio/tasks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace loopsnoop::runtimes::cpython::trio {

namespace {

constexpr std::size_t max_ready = 4096;
constexpr std::size_t max_locals = 32;
constexpr std::size_t max_frames = 2048; // of a task that runs
constexpr std::size_t max_name = 200;
constexpr std::size_t task_bytes = 192;

// Trio's own tasks, which are there in every program.
bool is_internal(std::string_view name) {
	constexpr std::array internal = std::to_array<std::string_view>(
	    {"<init>", "<TrioToken.run_sync_soon task>", "trio._core._entry_queue.EntryQueue.task", "<asyncgens>"});
	return std::ranges::find(internal, name) != internal.end();
}

// Locals of the function `run`, some of which are what is looked for.
template <typename Is> std::uint64_t find_local(ObjectReader &reader, std::uint64_t frame, Is is) {
	const Offsets &offsets = reader.offsets();
	for (std::size_t i = 0; i < max_locals; ++i) {
		const std::uint64_t word =
		    reader.word(frame + offsets.frame.locals + i * sizeof(std::uint64_t)) & offsets.frames.pointer_mask;
		if (is(word)) {
			return word;
		}
	}
	return 0;
}

bool is_runner(ObjectReader &reader, std::uint64_t object) {
	return reader.type_name(object) == "Runner" && reader.attribute(object, "tasks") && reader.attribute(object, "runq");
}

// `unrolled_run` since 0.15; `run_impl` before, which `run` calls.
bool is_run(const SourceFrame &frame) {
	return frame.file.ends_with("/trio/_core/_run.py") &&
	       (frame.function == "run" || frame.function == "unrolled_run" || frame.function == "run_impl");
}

std::uint64_t find_runner(ObjectReader &reader, const process::Memory &memory, CodeCache &codes, const ThreadState &thread) {
	for (const PlacedFrame &placed : walk_frames(memory, reader.offsets().frames, thread.address)) {
		if (is_run(codes.resolve(memory, placed.frame))) {
			const auto is = [&](std::uint64_t word) { return is_runner(reader, word); };
			if (const std::uint64_t runner = find_local(reader, placed.address, is); runner != 0) {
				return runner;
			}
		}
	}
	return 0;
}

asyncio::RawTask head_of(ObjectReader &reader, std::uint64_t task, std::uint64_t runner) {
	asyncio::RawTask raw;
	raw.address = task;
	raw.loop = runner;
	raw.coro = reader.attribute(task, "coro").value_or(0);
	raw.name = reader.text(reader.attribute(task, "name").value_or(0), max_name).value_or("?");
	raw.coroutine = asyncio::coroutine_name(reader, raw.coro);
	raw.pending = true;
	return raw;
}

std::optional<double> clock_offset_of(ObjectReader &reader, std::uint64_t runner) {
	const auto clock = reader.attribute(runner, "clock");
	return clock && reader.type_name(*clock) == "SystemClock" ? reader.number(reader.attribute(*clock, "offset").value_or(0))
	                                                          : std::nullopt;
}

std::vector<asyncio::RawTask> read_once(ObjectReader &reader, const PageCache &cache, std::uint64_t runner) {
	std::vector<asyncio::RawTask> found;
	std::vector<std::uint64_t> coroutines;
	const auto tasks = reader.items(reader.attribute(runner, "tasks").value_or(0), max_tasks);
	cache.prefetch(tasks, task_bytes);
	for (const std::uint64_t task : tasks) {
		if (!is_trio_task(reader, task)) {
			continue;
		}
		asyncio::RawTask raw = head_of(reader, task, runner);
		if (!is_internal(raw.name)) {
			coroutines.push_back(raw.coro);
			found.push_back(std::move(raw));
		}
	}
	auto chains = read_chains(reader, cache, coroutines);
	for (std::size_t i = 0; i < found.size(); ++i) {
		found[i].chain = std::move(chains[i]);
	}
	return found;
}

// What two reads agree on; what moved in between is read once more, and said to have moved then.
std::vector<asyncio::RawTask> read_tasks(ObjectReader &reader, PageCache &cache, std::uint64_t runner, bool &overtaken) {
	std::vector<asyncio::RawTask> found = read_once(reader, cache, runner);
	PageCache now(cache.now());
	ObjectReader again_reader(now, reader.offsets());
	const auto again = read_once(again_reader, now, runner);
	overtaken = overtaken || again.size() != found.size();
	for (asyncio::RawTask &task : found) {
		const auto other = std::ranges::find(again, task.address, &asyncio::RawTask::address);
		if (other != again.end() && other->chain == task.chain && other->name == task.name &&
		    other->coroutine == task.coroutine) {
			continue;
		}
		overtaken = true;
		task.changed = true;
		task.chain = {};
		task.name = std::string("?");
		task.coroutine.clear();
	}
	return found;
}

} // namespace

bool is_trio_task(ObjectReader &reader, std::uint64_t object) {
	return reader.type_name(object) == "Task" && reader.attribute(object, "coro") && reader.attribute(object, "_parent_nursery");
}

std::vector<Runner> read_runners(ObjectReader &reader, PageCache &cache, CodeCache &codes, std::span<const ThreadState> threads,
                                 KnownRunners &known, bool &overtaken) {
	std::vector<Runner> runners;
	KnownRunners now;
	for (const ThreadState &thread : threads) {
		Runner runner;
		runner.thread = thread;
		runner.runner = find_runner(reader, cache, codes, thread);
		if (const auto earlier = known.find(thread.address); runner.runner == 0 && earlier != known.end()) {
			runner.runner = is_runner(reader, earlier->second) ? earlier->second : 0;
		}
		if (runner.runner == 0) {
			continue;
		}
		now.emplace(thread.address, runner.runner);
		const std::uint64_t queue = reader.attribute(runner.runner, "runq").value_or(0);
		runner.ready = reader.size(queue).value_or(0);
		runner.ready_tasks = reader.items(queue, max_ready);
		runner.tasks = read_tasks(reader, cache, runner.runner, overtaken);
		runner.clock_offset = clock_offset_of(reader, runner.runner);
		runners.push_back(std::move(runner));
	}
	known = std::move(now);
	return runners;
}

std::optional<double> deadline_of(ObjectReader &reader, std::uint64_t task) {
	constexpr int max_scopes = 64; // one in the other
	std::optional<double> earliest;
	std::uint64_t status = reader.attribute(task, "_cancel_status").value_or(0);
	if (reader.is_true(reader.attribute(status, "effectively_cancelled").value_or(0))) {
		return std::nullopt;
	}
	for (int i = 0; i < max_scopes && reader.type_name(status) == "CancelStatus"; ++i) {
		const std::uint64_t scope = reader.attribute(status, "_scope").value_or(0);
		const auto deadline = reader.number(reader.attribute(scope, "_deadline").value_or(0));
		if (deadline && std::isfinite(*deadline)) {
			earliest = std::min(earliest.value_or(*deadline), *deadline);
		}
		if (reader.is_true(reader.attribute(scope, "_shield").value_or(0))) {
			break; // what is around it does not cancel what is inside
		}
		status = reader.attribute(status, "_parent").value_or(0);
	}
	return earliest;
}

std::optional<asyncio::RawTask> running_task(ObjectReader &reader, const process::Memory &memory, CodeCache &codes,
                                             const ThreadState &thread) {
	const CoroutineLayout &coroutine = reader.offsets().coroutine;
	const auto frame_of = [&](std::uint64_t coro) {
		const bool embedded = coroutine.form >= CoroutineForm::embedded_with_depth;
		return embedded ? coro + coroutine.frame : reader.word(coro + coroutine.frame);
	};
	std::unordered_set<std::uint64_t> inner;
	for (const PlacedFrame &placed : walk_frames(memory, reader.offsets().frames, thread.address, max_frames)) {
		if (!is_run(codes.resolve(memory, placed.frame))) {
			inner.insert(placed.address);
			continue;
		}
		const std::uint64_t task = find_local(reader, placed.address, [&](std::uint64_t word) {
			return is_trio_task(reader, word) && inner.contains(frame_of(reader.attribute(word, "coro").value_or(0)));
		});
		if (task == 0) {
			return std::nullopt;
		}
		auto head = head_of(reader, task, 0);
		return is_internal(head.name) ? std::nullopt : std::optional(std::move(head));
	}
	return std::nullopt;
}

} // namespace loopsnoop::runtimes::cpython::trio
