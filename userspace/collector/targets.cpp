// SPDX-License-Identifier: Apache-2.0
#include "collector/targets.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/unique_fd.h"
#include "collector/decode.h"
#include "collector/encode.h"

namespace loopsnoop::collector {

namespace {

// What an iterator program writes, one whole T after the other.
template <typename T, typename See> void read_iterator(bpf_link *link, const See &see) {
	const UniqueFd iterator(bpf_iter_create(bpf_link__fd(link)));
	if (!iterator.valid()) {
		return;
	}
	std::vector<std::byte> buffer;
	std::array<std::byte, 65536> piece{};
	for (;;) {
		const ssize_t n = read(iterator.get(), piece.data(), piece.size());
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			continue;
		}
		if (n <= 0) {
			return;
		}
		buffer.insert(buffer.end(), piece.begin(), piece.begin() + n);
		std::size_t used = 0;
		for (; used + sizeof(T) <= buffer.size(); used += sizeof(T)) {
			T wire{};
			std::memcpy(&wire, buffer.data() + used, sizeof(wire));
			see(wire);
		}
		buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(used));
	}
}

} // namespace

Result<void> Targets::attach(loopsnoop_bpf &skeleton, bool discover) {
	skeleton_ = &skeleton;
	iterator_.reset(bpf_program__attach_iter(skeleton.progs.snapshot, nullptr));
	if (iterator_ == nullptr) {
		return errno_error("attach the task iterator");
	}
	if (discover) {
		census_.reset(bpf_program__attach_iter(skeleton.progs.census, nullptr));
		if (census_ == nullptr) {
			return errno_error("attach the task iterator");
		}
	}
	return {};
}

Result<void> Targets::follow(const FollowRequest &request) {
	if (!add_target(request)) {
		return errno_error("follow the process", std::to_string(request.pid));
	}
	if (!adopt_threads(request.pid)) {
		return make_error("follow the process", std::to_string(request.pid), "it has no threads any more");
	}
	return {};
}

// Twice: a thread made while the first walk went by is inherited only if its maker was followed by then. And again where the
// kernel could not give a thread its storage at that moment.
bool Targets::adopt_threads(std::uint32_t pid) {
	constexpr int walks = 2;
	constexpr int max_walks = 12;
	constexpr useconds_t pause_us = 2000;
	bool any = false;
	std::uint32_t missed = 0;
	for (int i = 0; i < walks || (missed != 0 && i < max_walks); i++) {
		if (missed != 0) {
			(void)usleep(pause_us);
		}
		missed = walk(pid, [&](const ls_snapshot &) { any = true; });
	}
	without_storage_ += missed;
	return any;
}

bool Targets::add_target(const FollowRequest &request) {
	const ls_target target = encode_target(request);
	return bpf_map_update_elem(bpf_map__fd(skeleton_->maps.targets), &request.pid, &target, BPF_ANY) == 0;
}

void Targets::follow_all(const std::vector<FollowRequest> &requests) {
	for (const FollowRequest &request : requests) {
		if (!add_target(request)) {
			without_slot_++;
		}
	}
	// One of many is searched for alone: what the others do now is of no interest.
	if (!requests.empty()) {
		(void)adopt_threads(requests.size() == 1 ? requests.front().pid : 0);
	}
}

std::vector<UnfollowedThread> Targets::census() {
	std::vector<UnfollowedThread> unfollowed;
	if (census_ != nullptr) {
		read_iterator<ls_census>(census_.get(), [&](const ls_census &entry) { unfollowed.push_back(decode_census(entry)); });
	}
	return unfollowed;
}

void Targets::is_pool(std::uint32_t pid) {
	change_target(pid, [](ls_target &target) { target.flags |= LS_TARGET_POOL; });
}

void Targets::accept_weak_loops(std::uint32_t pid) {
	change_target(pid, [](ls_target &target) { target.flags |= LS_TARGET_WEAK; });
}

void Targets::change_target(std::uint32_t pid, const std::function<void(ls_target &)> &change) {
	ls_target target{};
	const int map = bpf_map__fd(skeleton_->maps.targets);
	if (bpf_map_lookup_elem(map, &pid, &target) == 0) {
		change(target);
		bpf_map_update_elem(map, &pid, &target, BPF_EXIST);
	}
}

std::uint32_t Targets::walk(std::uint32_t pid, const std::function<void(const ls_snapshot &)> &see) {
	// The others cost a comparison each; and with hundreds of followed processes, their threads' stacks are not taken.
	skeleton_->bss->wanted_process = pid;
	skeleton_->bss->unadopted = 0;
	read_iterator<ls_snapshot>(iterator_.get(), see);
	return skeleton_->bss->unadopted;
}

std::vector<ThreadSnapshot> Targets::snapshot(std::uint32_t pid) {
	std::vector<ThreadSnapshot> snapshots;
	walk(pid, [&](const ls_snapshot &wire) { snapshots.push_back(decode_snapshot(wire)); });
	return snapshots;
}

void Targets::adopt_poll(std::uint32_t pid, std::uint32_t tid, bool several_descriptors) {
	change_target(pid, [&](ls_target &target) {
		target.adopt_tid = tid;
		target.adopt_rank = several_descriptors ? LS_RANK_MANY : LS_RANK_FEW;
	});
	(void)snapshot(pid);
	change_target(pid, [](ls_target &target) { target.adopt_tid = 0; });
}

void Targets::correct_poll(std::uint32_t pid, std::uint32_t tid, int poll_fd) {
	change_target(pid, [&](ls_target &target) {
		target.adopt_tid = tid;
		target.adopt_fd = poll_fd;
	});
	(void)snapshot(pid);
	change_target(pid, [](ls_target &target) {
		target.adopt_tid = 0;
		target.adopt_fd = 0;
	});
}

void Targets::force_loop(std::uint32_t pid, std::uint32_t tid) {
	std::uint32_t forced_before = 0;
	change_target(pid, [&](ls_target &target) { forced_before = std::exchange(target.forced_tid, tid); });
	(void)snapshot(pid);
	change_target(pid, [&](ls_target &target) { target.forced_tid = forced_before; });
}

} // namespace loopsnoop::collector
