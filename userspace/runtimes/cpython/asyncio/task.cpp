// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/asyncio/task.h"

#include <algorithm>
#include <utility>

#include "runtimes/cpython/asyncio/registry.h"

namespace loopsnoop::runtimes::cpython::asyncio {

namespace {

constexpr std::size_t max_name = 200;

std::string name_of_task(ObjectReader &reader, std::uint64_t name) {
	if (const auto text = reader.text(name, max_name)) {
		return *text;
	}
	const auto number = reader.integer(name); // since 3.12 made into text only when somebody asks
	return number ? "Task-" + std::to_string(*number) : "?";
}

} // namespace

std::string coroutine_name(ObjectReader &reader, std::uint64_t coroutine) {
	const std::string_view type = reader.type_name(coroutine);
	const bool known = type == "coroutine" || type == "generator" || type == "async_generator";
	return known ? reader.text(reader.word(coroutine + reader.offsets().coroutine.name), max_name).value_or("") : "";
}

bool Futures::is_c(std::uint64_t object) {
	return layout_ && (reader_.is_a(object, "_asyncio.Future") || is_c_task(reader_, object));
}

bool Futures::is_future(std::uint64_t object) {
	return is_c(object) || (reader_.attribute(object, "_loop") && reader_.attribute(object, "_callbacks"));
}

FutureState Futures::state(std::uint64_t future) {
	if (is_c(future)) {
		switch (reader_.memory().read_value<std::int32_t>(future + layout_->state).value_or(-1)) {
		case 0: return FutureState::pending;
		case 1: return FutureState::cancelled;
		case 2: return FutureState::finished;
		default: return FutureState::unknown;
		}
	}
	const auto state = reader_.attribute(future, "_state");
	if (!state) { // of the class as long as it is pending
		return reader_.attribute(future, "_callbacks") ? FutureState::pending : FutureState::unknown;
	}
	const auto text = state ? reader_.text(*state, 16) : std::nullopt;
	if (text == "PENDING") {
		return FutureState::pending;
	}
	return text == "CANCELLED" ? FutureState::cancelled : text == "FINISHED" ? FutureState::finished : FutureState::unknown;
}

std::vector<std::uint64_t> Futures::callbacks(std::uint64_t future) {
	constexpr std::size_t most = 64;
	std::vector<std::uint64_t> found;
	std::uint64_t list = 0;
	if (is_c(future)) {
		if (const std::uint64_t first = reader_.word(future + layout_->callback); first != 0) {
			found.push_back(first);
		}
		list = reader_.word(future + layout_->callbacks);
	} else {
		list = reader_.attribute(future, "_callbacks").value_or(0);
	}
	for (const std::uint64_t pair : reader_.items(list, most)) { // (callback, context)
		const auto parts = reader_.items(pair, 2);
		if (!parts.empty()) {
			found.push_back(parts.front());
		}
	}
	return found;
}

std::uint64_t Futures::task_of(std::uint64_t callable) {
	const std::string_view type = reader_.type_name(callable);
	// Modules/_asynciomodule.c: a task's first or next step; 3.9 has one for the wake-up, too, later versions a bound method.
	const bool wraps = type.ends_with("TaskStepMethWrapper") || type.ends_with("TaskWakeupMethWrapper");
	const std::uint64_t task = wraps ? reader_.word(callable + after_head) : reader_.self_of(callable);
	return is_c_task(reader_, task) || is_python_task(reader_, task) ? task : 0;
}

std::optional<RawTask> Futures::head(std::uint64_t task) {
	RawTask found;
	found.address = task;
	if (is_c_task(reader_, task)) {
		if (!layout_) {
			return std::nullopt;
		}
		found.loop = reader_.word(task + layout_->loop);
		found.coro = reader_.word(task + layout_->coro);
		found.waiter = reader_.word(task + layout_->waiter);
		found.name = name_of_task(reader_, reader_.word(task + layout_->name));
	} else {
		found.loop = reader_.attribute(task, "_loop").value_or(0);
		found.coro = reader_.attribute(task, "_coro").value_or(0);
		found.waiter = reader_.attribute(task, "_fut_waiter").value_or(0);
		found.name = name_of_task(reader_, reader_.attribute(task, "_name").value_or(0));
	}
	found.waiter = is_future(found.waiter) ? found.waiter : 0;
	found.pending = state(task) == FutureState::pending;
	found.coroutine = coroutine_name(reader_, found.coro);
	return found;
}

namespace {

bool same(const RawTask &a, const RawTask &b) {
	return a.loop == b.loop && a.coro == b.coro && a.waiter == b.waiter && a.pending == b.pending && a.name == b.name &&
	       a.coroutine == b.coroutine && a.chain == b.chain;
}

struct Fresh {
	PageCache cache;
	ObjectReader reader;
	explicit Fresh(const process::Memory &memory, const Offsets &offsets) : cache(memory), reader(cache, offsets) {}
};

std::vector<RawTask> read_once(ObjectReader &reader, const PageCache &cache, const std::optional<FutureLayout> &layout,
                               std::span<const std::uint64_t> tasks) {
	cache.prefetch(tasks, task_bytes);
	Futures futures(reader, layout);
	std::vector<RawTask> found;
	std::vector<std::uint64_t> coroutines;
	for (const std::uint64_t task : tasks) {
		if (auto head = futures.head(task); head && head->pending) {
			coroutines.push_back(head->coro);
			found.push_back(std::move(*head));
		}
	}
	auto chains = read_chains(reader, cache, coroutines);
	for (std::size_t i = 0; i < found.size(); ++i) {
		found[i].chain = std::move(chains[i]);
	}
	return found;
}

} // namespace

std::vector<RawTask> read_tasks(ObjectReader &reader, PageCache &cache, const std::optional<FutureLayout> &layout,
                                std::span<const std::uint64_t> tasks, bool &overtaken) {
	std::vector<RawTask> found = read_once(reader, cache, layout, tasks);
	constexpr int rounds = 3;
	std::vector<std::size_t> open(found.size()); // not confirmed yet
	for (std::size_t i = 0; i < open.size(); ++i) {
		open[i] = i;
	}
	for (int round = 0; round < rounds && !open.empty(); ++round) {
		Fresh now(cache.now(), reader.offsets());
		std::vector<std::uint64_t> addresses;
		for (const std::size_t i : open) {
			addresses.push_back(found[i].address);
		}
		auto again = read_once(now.reader, now.cache, layout, addresses);
		std::vector<std::size_t> moved;
		std::size_t next = 0;
		for (const std::size_t i : open) {
			if (next == again.size() || again[next].address != found[i].address) {
				found[i].pending = false; // it has ended
				overtaken = true;
				continue;
			}
			if (!same(found[i], again[next])) {
				moved.push_back(i);
				found[i] = std::move(again[next]);
			}
			++next;
		}
		open = std::move(moved);
	}
	for (const std::size_t i : open) {
		found[i].chain = {};
		found[i].name = "?";
		found[i].coroutine.clear();
		overtaken = true;
		found[i].changed = true;
	}
	std::erase_if(found, [](const RawTask &task) { return !task.pending; });
	return found;
}

} // namespace loopsnoop::runtimes::cpython::asyncio
