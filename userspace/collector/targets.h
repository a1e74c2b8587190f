// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "collector/collector.h"
#include "collector/skeleton.h"

namespace loopsnoop::collector {

// Who is followed, and the snapshots of all threads that this takes. What a function does is said of the one of that name in
// Collector. For this room alone. To be gone before the skeleton is.
class Targets {
public:
	Result<void> attach(loopsnoop_bpf &skeleton, bool discover);

	Result<void> follow(const FollowRequest &request);
	void follow_all(const std::vector<FollowRequest> &requests);
	[[nodiscard]] std::vector<UnfollowedThread> census();
	void is_pool(std::uint32_t pid);
	void accept_weak_loops(std::uint32_t pid);
	[[nodiscard]] std::vector<ThreadSnapshot> snapshot(std::uint32_t pid);
	void adopt_poll(std::uint32_t pid, std::uint32_t tid, bool several_descriptors);
	void correct_poll(std::uint32_t pid, std::uint32_t tid, int poll_fd);
	void force_loop(std::uint32_t pid, std::uint32_t tid);

	// Processes that the table had no room for, and threads that the kernel had no storage for.
	[[nodiscard]] std::uint64_t without_slot() const { return without_slot_; }
	[[nodiscard]] std::uint64_t without_storage() const { return without_storage_; }

private:
	[[nodiscard]] bool add_target(const FollowRequest &request);
	// Whether it has any thread.
	[[nodiscard]] bool adopt_threads(std::uint32_t pid);
	// Goes through the threads of that followed process (0: of all of them), and follows those that are not followed yet. Returns
	// how many it could not follow.
	std::uint32_t walk(std::uint32_t pid, const std::function<void(const ls_snapshot &)> &see);
	void change_target(std::uint32_t pid, const std::function<void(ls_target &)> &change);

	loopsnoop_bpf *skeleton_ = nullptr;
	Link iterator_;
	Link census_;
	std::uint64_t without_slot_ = 0;
	std::uint64_t without_storage_ = 0;
};

} // namespace loopsnoop::collector
