// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/asyncio/loop_state.h"

#include <algorithm>
#include <array>
#include <string>

namespace loopsnoop::runtimes::cpython::asyncio {

namespace {

constexpr std::size_t max_ready = 4096;
constexpr std::size_t max_timers = 65'536;
constexpr std::size_t handle_bytes = 128;

// The deque of a Loop written in Cython.
std::uint64_t deque_in(ObjectReader &reader, std::uint64_t loop) {
	constexpr std::uint64_t most = 4096;
	const std::uint64_t size =
	    std::min(most, reader.word(reader.word(loop + reader.offsets().object.type) + reader.offsets().type.basicsize));
	for (std::uint64_t at = 16; at + sizeof(std::uint64_t) <= size; at += sizeof(std::uint64_t)) {
		const std::uint64_t word = reader.word(loop + at);
		if (reader.type_name(word) == "collections.deque") {
			return word;
		}
	}
	return 0;
}

LoopState::Callback callback_of(ObjectReader &reader, Futures &futures, std::uint64_t handle) {
	const auto describe = [&](std::uint64_t callable) {
		return LoopState::Callback{futures.task_of(callable), reader.code_of(callable)};
	};
	if (const auto callback = reader.attribute(handle, "_callback")) {
		return describe(*callback);
	}
	if (reader.type_name(handle) == "uvloop.loop.Handle") { // cbhandles.pyx: what it calls is one of its first members
		constexpr std::uint64_t begin = 16;
		constexpr std::uint64_t end = 112;
		for (std::uint64_t at = begin; at < end; at += sizeof(std::uint64_t)) {
			const auto found = describe(reader.word(handle + at));
			if (found.task != 0 || found.code != 0) {
				return found;
			}
		}
	}
	return {};
}

// 0: none that is one.
std::uint64_t ready_queue(ObjectReader &reader, std::uint64_t loop) {
	const auto known = reader.attribute(loop, "_ready");
	const std::uint64_t queue = known ? *known : deque_in(reader, loop);
	return reader.is_a(queue, "collections.deque") ? queue : 0;
}

void read_ready(ObjectReader &reader, const PageCache &cache, Futures &futures, std::uint64_t loop, LoopState &state) {
	const std::uint64_t ready = ready_queue(reader, loop);
	if (ready == 0) {
		return;
	}
	const auto handles = reader.items(ready, max_ready);
	cache.prefetch(handles, handle_bytes);
	std::uint64_t cancelled = 0;
	for (const std::uint64_t handle : handles) {
		if (reader.is_true(reader.attribute(handle, "_cancelled").value_or(0))) {
			++cancelled;
			continue;
		}
		state.callbacks.push_back(callback_of(reader, futures, handle));
	}
	state.ready = reader.size(ready).value_or(0) - cancelled;
}

void read_timer(ObjectReader &reader, std::uint64_t handle, LoopState &state) {
	const auto when = reader.number(reader.attribute(handle, "_when").value_or(0));
	if (!when || reader.is_true(reader.attribute(handle, "_cancelled").value_or(0))) {
		return;
	}
	state.timers = state.timers.value_or(0) + 1;
	state.next_timer = std::min(state.next_timer.value_or(*when), *when);
	const std::uint64_t callback = reader.attribute(handle, "_callback").value_or(0);
	const std::string name = reader.callable_name(callback);
	if (name == "_set_result_unless_cancelled" || name == "_release_waiter") {
		const auto arguments = reader.items(reader.attribute(handle, "_args").value_or(0), 1);
		if (!arguments.empty()) {
			state.ends_by_future[arguments.front()] = *when;
		}
	} else if (name == "_on_timeout") {
		if (const auto task = reader.attribute(reader.self_of(callback), "_task")) {
			const auto [known, fresh] = state.ends_by_task.try_emplace(*task, *when);
			known->second = std::min(known->second, *when); // the innermost of several is not known: the first to come
		}
	}
}

} // namespace

LoopState read_loop_state(ObjectReader &reader, const PageCache &cache, Futures &futures, std::uint64_t loop) {
	LoopState state;
	read_ready(reader, cache, futures, loop, state);
	const auto scheduled = reader.attribute(loop, "_scheduled");
	if (scheduled && reader.is_a(*scheduled, "list")) {
		state.timers = 0;
		const auto handles = reader.items(*scheduled, max_timers);
		cache.prefetch(handles, handle_bytes);
		for (const std::uint64_t handle : handles) {
			read_timer(reader, handle, state);
		}
	}
	return state;
}

std::optional<std::vector<std::uint64_t>> queued_callbacks(ObjectReader &reader, std::uint64_t loop) {
	constexpr std::size_t most = 8192;
	const std::uint64_t ready = ready_queue(reader, loop);
	const auto size = ready != 0 ? reader.size(ready) : std::nullopt;
	if (!size) {
		return std::nullopt;
	}
	auto handles = reader.items(ready, most);
	return handles.size() >= std::min<std::uint64_t>(*size, most) ? std::optional(std::move(handles)) : std::nullopt;
}

std::vector<std::uint64_t> codes_called_for(ObjectReader &reader, std::uint64_t loop, int fd) {
	constexpr std::size_t max_descriptors = 65'536;
	constexpr std::size_t data_of_key = 3; // fileobj, fd, events, data
	std::vector<std::uint64_t> codes;
	const auto keys = reader.attribute(loop, "_selector", "_fd_to_key");
	for (const DictEntry &entry : reader.entries(keys.value_or(0), max_descriptors)) {
		if (reader.integer(entry.key) != static_cast<std::uint64_t>(fd)) {
			continue;
		}
		const auto key = reader.items(entry.value, data_of_key + 1);
		if (key.size() <= data_of_key) {
			return codes;
		}
		constexpr std::size_t handles = 2;
		for (const std::uint64_t handle : reader.items(key[data_of_key], handles)) {
			if (const std::uint64_t code = reader.code_of(reader.attribute(handle, "_callback").value_or(0))) {
				codes.push_back(code);
			}
		}
	}
	return codes;
}

} // namespace loopsnoop::runtimes::cpython::asyncio
