// SPDX-License-Identifier: Apache-2.0
// The tables that the programs keep, and those that they are told by.
#include <bpf/bpf.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <span>
#include <type_traits>

#include "collector/decode.h"
#include "collector/kernel_side.h"

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

// By the kernel's own account (recursion_misses in struct bpf_prog_info; of programs on classic tracepoints since Linux 6.7).
// Where the kernel can be preempted, a thread in a bpf() call that is suspended keeps them from running on its CPU.
std::uint64_t missed_runs(const bpf_object *object) {
	std::uint64_t sum = 0;
	bpf_program *program = nullptr;
	bpf_object__for_each_program(program, object) {
		bpf_prog_info info{};
		__u32 length = sizeof(info);
		const int fd = bpf_program__fd(program);
		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &length) == 0) {
			sum += info.recursion_misses;
		}
	}
	return sum;
}

} // namespace

std::optional<LoopState> KernelSide::loop_in(std::size_t slot) const {
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

std::vector<LoopState> KernelSide::loops() const {
	std::vector<LoopState> states;
	for (std::size_t slot = 0; slot < loops_.count(); slot++) {
		if (auto state = loop_in(slot)) {
			states.push_back(*state);
		}
	}
	return states;
}

std::vector<LoopState> KernelSide::busy_loops() const {
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

std::optional<LoopState> KernelSide::loop(LoopKey key) const {
	const auto state = key.slot < loops_.count() ? loop_in(key.slot) : std::nullopt;
	return state && state->key == key ? state : std::nullopt;
}

std::optional<std::uint64_t> KernelSide::iteration_start(LoopKey key) const {
	const auto *loop = reinterpret_cast<const ls_loop *>(loops_.at(key.slot));
	const std::uint64_t start =
	    busy_since(__atomic_load_n(&loop->iteration_start_ns, __ATOMIC_ACQUIRE),
	               __atomic_load_n(&loop->off_since_ns, __ATOMIC_ACQUIRE), __atomic_load_n(&loop->woken_at_ns, __ATOMIC_ACQUIRE));
	return loop->in_use != 0 && loop->generation == key.generation ? std::optional(start) : std::nullopt;
}

std::optional<RawWait> KernelSide::current_wait(LoopKey key) const {
	if (key.slot >= loops_.count()) {
		return std::nullopt;
	}
	const auto before = consistent_copy<ls_loop>(loops_.at(key.slot));
	if (!before || before->generation != key.generation || before->open_run == 0) {
		return std::nullopt;
	}
	if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.captures), &key.slot, capture_.data()) != 0) {
		return std::nullopt;
	}
	const auto &wire = *reinterpret_cast<const ls_wait *>(capture_.data());
	const std::size_t bytes = std::min<std::size_t>(wire.stack_bytes, options_.stack_bytes + LS_PAGE_BYTES);
	RawWait wait = decode_wait(wire, std::span(capture_).subspan(sizeof(ls_wait), bytes));
	const auto after = consistent_copy<ls_loop>(loops_.at(key.slot));
	if (!after || after->changes != before->changes) {
		return std::nullopt;
	}
	return wait;
}

ls_slot_config *KernelSide::config_for(LoopKey key) {
	if (key.slot >= configs_.count()) {
		return nullptr;
	}
	auto *config = reinterpret_cast<ls_slot_config *>(configs_.at(key.slot));
	if (config->generation != key.generation) {
		*config = {};
	}
	return config;
}

void KernelSide::set_python(LoopKey key, const PythonLayout &layout, std::uint64_t tstate) {
	ls_slot_config *config = config_for(key);
	if (config == nullptr) {
		return;
	}
	// The generation goes last: the kernel takes nothing of it before.
	__atomic_store_n(&config->generation, 0, __ATOMIC_RELEASE);
	config->tstate = tstate;
	config->gil_begin = layout.gil_begin;
	config->gil_end = layout.gil_end;
	config->gil_locked = layout.gil_locked;
	config->gil_last_holder = layout.gil_last_holder;
	config->tstate_native_id = layout.tstate_native_id;
	config->threads_head = layout.threads_head;
	config->tstate_next = layout.tstate_next;
	config->tstate_thread_id = layout.tstate_thread_id;
	config->tstate_frame = layout.tstate_frame;
	config->cframe_current_frame = layout.cframe_current_frame;
	config->frame_back = layout.frame_back;
	config->frame_code = layout.frame_code;
	config->frame_instruction = layout.frame_instruction;
	config->frame_owner = layout.frame_owner;
	config->has_owner = layout.has_owner ? 1 : 0;
	config->owner_c_stack = layout.owner_c_stack;
	config->through_cframe = layout.through_cframe ? 1 : 0;
	config->instruction_is_index = layout.instruction_is_index ? 1 : 0;
	config->pointer_mask = layout.pointer_mask;
	config->python = 1;
	__atomic_store_n(&config->generation, key.generation, __ATOMIC_RELEASE);
}

void KernelSide::ignore(LoopKey key, bool ignored) {
	if (ls_slot_config *config = config_for(key)) {
		config->ignore = ignored ? 1 : 0;
		__atomic_store_n(&config->generation, key.generation, __ATOMIC_RELEASE);
		if (samplers_) {
			samplers_->ignore(key, ignored);
		}
	}
}

void KernelSide::sample(LoopKey key, std::uint32_t tid) {
	if (samplers_) {
		samplers_->add(key, tid);
	}
}

std::optional<ProcessActivity> KernelSide::activity(std::uint32_t pid) const {
	ls_activity wire{};
	if (!options_.process_history || bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.activities), &pid, &wire) != 0) {
		return std::nullopt;
	}
	ProcessActivity activity = decode_activity(wire);
	if (!counts_accepts()) {
		activity.accepted.reset();
	}
	return activity;
}

void KernelSide::forget_activity(std::uint32_t pid) {
	if (options_.process_history) {
		bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.activities), &pid);
	}
}

LossCounts KernelSide::losses() const {
	LossCounts counts{};
	const int cpus = libbpf_num_possible_cpus();
	std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(std::max(cpus, 1)));
	for (std::uint32_t i = 0; i < loss_count; i++) {
		if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.losses), &i, per_cpu.data()) == 0) {
			for (const std::uint64_t count : per_cpu) {
				counts.at(i) += count;
			}
		}
		counts.at(i) += dropped_.at(i);
	}
	counts.at(static_cast<std::size_t>(Loss::no_samples)) += samplers_ ? samplers_->refused() : 0;
	counts.at(static_cast<std::size_t>(Loss::missed_runs)) += missed_runs(skeleton_->obj);
	return counts;
}

} // namespace loopsnoop::collector
