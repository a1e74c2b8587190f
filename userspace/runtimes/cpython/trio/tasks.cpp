// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/trio/tasks.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace loopsnoop::runtimes::cpython::trio {

namespace {

constexpr std::size_t max_ready = 4096;
constexpr std::size_t max_locals = 32;
constexpr std::size_t max_name = 200;
constexpr std::size_t task_bytes = 192;

// Trio's own tasks, which are there in every program.
bool is_internal(std::string_view name) {
	constexpr std::array internal = std::to_array<std::string_view>(
	    {"<init>", "<TrioToken.run_sync_soon task>", "trio._core._entry_queue.EntryQueue.task", "<asyncgens>"});
	return std::ranges::find(internal, name) != internal.end();
}

std::uint64_t runner_in(ObjectReader &reader, std::uint64_t frame) {
	const Offsets &offsets = reader.offsets();
	for (std::size_t i = 0; i < max_locals; ++i) {
		const std::uint64_t word =
		    reader.word(frame + offsets.frame.locals + i * sizeof(std::uint64_t)) & offsets.frames.pointer_mask;
		if (reader.type_name(word) == "Runner" && reader.attribute(word, "tasks") && reader.attribute(word, "runq")) {
			return word;
		}
	}
	return 0;
}

std::uint64_t find_runner(ObjectReader &reader, const process::Memory &memory, CodeCache &codes, const ThreadState &thread) {
	for (const PlacedFrame &placed : walk_frames(memory, reader.offsets().frames, thread.address)) {
		const SourceFrame frame = codes.resolve(memory, placed.frame);
		if (frame.file.ends_with("/trio/_core/_run.py") && (frame.function == "run" || frame.function == "unrolled_run")) {
			if (const std::uint64_t runner = runner_in(reader, placed.address); runner != 0) {
				return runner;
			}
		}
	}
	return 0;
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
		asyncio::RawTask raw;
		raw.address = task;
		raw.loop = runner;
		raw.coro = reader.attribute(task, "coro").value_or(0);
		raw.name = reader.text(reader.attribute(task, "name").value_or(0), max_name).value_or("?");
		raw.coroutine = asyncio::coroutine_name(reader, raw.coro);
		raw.pending = true;
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
                                 bool &overtaken) {
	std::vector<Runner> runners;
	for (const ThreadState &thread : threads) {
		Runner runner;
		runner.thread = thread;
		runner.runner = find_runner(reader, cache, codes, thread);
		if (runner.runner == 0) {
			continue;
		}
		const std::uint64_t queue = reader.attribute(runner.runner, "runq").value_or(0);
		runner.ready = reader.size(queue).value_or(0);
		runner.ready_tasks = reader.items(queue, max_ready);
		runner.tasks = read_tasks(reader, cache, runner.runner, overtaken);
		runners.push_back(std::move(runner));
	}
	return runners;
}

} // namespace loopsnoop::runtimes::cpython::trio
