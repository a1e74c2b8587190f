// SPDX-License-Identifier: Apache-2.0
#include "collector/loop_tables.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include "collector/decode.h"

namespace loopsnoop::collector {

namespace {

// Copies something the kernel writes meanwhile; nullopt when it moved during each of a few tries.
template <typename T> std::optional<T> consistent_copy(const std::byte *from) {
	static_assert(std::is_trivially_copyable_v<T>);
	const auto *changes = reinterpret_cast<const std::uint64_t *>(from);
	for (int i = 0; i < 8; i++) {
		const std::uint64_t before = __atomic_load_n(changes, __ATOMIC_ACQUIRE);
		T value{};
		std::memcpy(&value, from, sizeof(T));
		std::atomic_thread_fence(std::memory_order_acquire);
		if (before % 2 == 0 && __atomic_load_n(changes, __ATOMIC_RELAXED) == before) {
			return value;
		}
	}
	return std::nullopt;
}

} // namespace

Result<void> LoopTables::map(const loopsnoop_bpf &skeleton, std::size_t slots, std::size_t capture_bytes) {
	auto loops = MappedTable::map(bpf_map__fd(skeleton.maps.loops), sizeof(ls_loop), slots, false);
	auto configs = MappedTable::map(bpf_map__fd(skeleton.maps.configs), sizeof(ls_slot_config), slots, true);
	for (const auto *table : {&loops, &configs}) {
		if (!*table) {
			return table->error();
		}
	}
	loops_ = std::move(*loops);
	configs_ = std::move(*configs);
	captures_fd_ = bpf_map__fd(skeleton.maps.captures);
	// Not mapped: all of it would count as ours, and little of it is ever read.
	capture_.resize((capture_bytes + 7) / 8 * 8);
	return {};
}

std::optional<LoopState> LoopTables::loop_in(std::size_t slot) const {
	const auto *loop = reinterpret_cast<const ls_loop *>(loops_.at(slot));
	if (loop->in_use == 0) {
		return std::nullopt;
	}
	// A loop that runs flat out changes all the time; the copy is taken as it is then, and `changes` odd says so.
	ls_loop copy{};
	if (auto consistent = consistent_copy<ls_loop>(loops_.at(slot))) {
		copy = *consistent;
	} else {
		std::memcpy(&copy, loop, sizeof(copy));
		copy.changes |= 1;
	}
	if (copy.tid == 0) {
		return std::nullopt;
	}
	return decode_loop(copy, static_cast<std::uint32_t>(slot));
}

std::vector<LoopState> LoopTables::loops() const {
	std::vector<LoopState> states;
	for (std::size_t slot = 0; slot < loops_.count(); slot++) {
		if (auto state = loop_in(slot)) {
			states.push_back(*state);
		}
	}
	return states;
}

std::vector<LoopState> LoopTables::busy_loops() const {
	std::vector<LoopState> states;
	for (std::size_t slot = 0; slot < loops_.count(); slot++) {
		// Read while it changes: one that is missed now is there at the next look.
		const auto *loop = reinterpret_cast<const volatile ls_loop *>(loops_.at(slot));
		if (loop->in_use == 0 || (loop->iteration_start_ns == 0 && loop->woken_at_ns == 0 && loop->rank != LS_RANK_NONE)) {
			continue;
		}
		if (auto state = loop_in(slot)) {
			states.push_back(*state);
		}
	}
	return states;
}

std::optional<LoopState> LoopTables::loop(LoopKey key) const {
	const auto state = key.slot < loops_.count() ? loop_in(key.slot) : std::nullopt;
	return state && state->key == key ? state : std::nullopt;
}

std::optional<std::uint64_t> LoopTables::iteration_start(LoopKey key) const {
	const auto *loop = reinterpret_cast<const ls_loop *>(loops_.at(key.slot));
	const std::uint64_t start =
	    busy_since(__atomic_load_n(&loop->iteration_start_ns, __ATOMIC_ACQUIRE),
	               __atomic_load_n(&loop->off_since_ns, __ATOMIC_ACQUIRE), __atomic_load_n(&loop->woken_at_ns, __ATOMIC_ACQUIRE));
	return loop->in_use != 0 && loop->generation == key.generation ? std::optional(start) : std::nullopt;
}

std::optional<RawWait> LoopTables::current_wait(LoopKey key) const {
	if (key.slot >= loops_.count()) {
		return std::nullopt;
	}
	const auto before = consistent_copy<ls_loop>(loops_.at(key.slot));
	if (!before || before->generation != key.generation || before->open_run == 0) {
		return std::nullopt;
	}
	if (bpf_map_lookup_elem(captures_fd_, &key.slot, capture_.data()) != 0) {
		return std::nullopt;
	}
	const auto &wire = *reinterpret_cast<const ls_wait *>(capture_.data());
	const std::size_t bytes = std::min<std::size_t>(wire.stack_bytes, capture_.size() - sizeof(ls_wait));
	RawWait wait = decode_wait(wire, std::span(capture_).subspan(sizeof(ls_wait), bytes));
	const auto after = consistent_copy<ls_loop>(loops_.at(key.slot));
	if (!after || after->changes != before->changes) {
		return std::nullopt;
	}
	return wait;
}

ls_slot_config *LoopTables::config_for(LoopKey key) {
	if (key.slot >= configs_.count()) {
		return nullptr;
	}
	auto *config = reinterpret_cast<ls_slot_config *>(configs_.at(key.slot));
	if (config->generation != key.generation) {
		*config = {};
	}
	return config;
}

void set_layout(ls_slot_config &config, const PythonLayout &layout) {
	config.gil_begin = layout.gil_begin;
	config.gil_end = layout.gil_end;
	config.gil_locked = layout.gil_locked;
	config.gil_last_holder = layout.gil_last_holder;
	config.tstate_native_id = layout.tstate_native_id;
	config.threads_head = layout.threads_head;
	config.tstate_next = layout.tstate_next;
	config.tstate_thread_id = layout.tstate_thread_id;
	config.tstate_frame = layout.tstate_frame;
	config.cframe_current_frame = layout.cframe_current_frame;
	config.frame_back = layout.frame_back;
	config.frame_code = layout.frame_code;
	config.frame_instruction = layout.frame_instruction;
	config.frame_owner = layout.frame_owner;
	config.has_owner = layout.has_owner ? 1 : 0;
	config.owner_c_stack = layout.owner_c_stack;
	config.through_cframe = layout.through_cframe ? 1 : 0;
	config.instruction_is_index = layout.instruction_is_index ? 1 : 0;
	config.pointer_mask = layout.pointer_mask;
}

void LoopTables::set_python(LoopKey key, const PythonLayout &layout, std::uint64_t tstate) {
	ls_slot_config *config = config_for(key);
	if (config == nullptr) {
		return;
	}
	// The generation goes last: the kernel takes nothing of it before.
	__atomic_store_n(&config->generation, 0, __ATOMIC_RELEASE);
	config->tstate = tstate;
	set_layout(*config, layout);
	config->python = 1;
	__atomic_store_n(&config->generation, key.generation, __ATOMIC_RELEASE);
}

bool LoopTables::ignore(LoopKey key, bool ignored) {
	ls_slot_config *config = config_for(key);
	if (config == nullptr) {
		return false;
	}
	config->ignore = ignored ? 1 : 0;
	__atomic_store_n(&config->generation, key.generation, __ATOMIC_RELEASE);
	return true;
}

} // namespace loopsnoop::collector
