// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "collector/collector.h"
#include "collector/skeleton.h"

namespace loopsnoop::collector {

// FollowedProcesses by the table of targets and the iterators over all threads. For this room alone. To be gone before the
// skeleton is.
class Targets final : public FollowedProcesses {
public:
	Result<void> attach(loopsnoop_bpf &skeleton, bool discover);

	Result<void> follow(const FollowRequest &request) override;
	void follow_all(const std::vector<FollowRequest> &requests) override;
	[[nodiscard]] std::vector<UnfollowedThread> census() override;
	void is_pool(std::uint32_t pid) override;
	void accept_weak_loops(std::uint32_t pid) override;
	[[nodiscard]] std::vector<ThreadSnapshot> snapshot(std::uint32_t pid) override;
	void adopt_poll(std::uint32_t pid, std::uint32_t tid, bool several_descriptors) override;
	void correct_poll(std::uint32_t pid, std::uint32_t tid, int poll_fd) override;
	void force_loop(std::uint32_t pid, std::uint32_t tid) override;

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
