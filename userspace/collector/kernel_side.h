// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "collector/attach.h"
#include "collector/collector.h"
#include "collector/mapped_table.h"
#include "collector/samplers.h"

namespace loopsnoop::collector {

// The collector that there is: BPF programs, their tables and their ring buffer. For this room alone. What it takes to have it
// loaded and attached is in kernel_side.cpp, who is followed in targets.cpp, what is read from and written to tables in
// tables.cpp.
class KernelSide final : public Collector {
public:
	KernelSide(CollectorOptions options, TracepointPlan plan) : options_(std::move(options)), plan_(std::move(plan)) {}
	~KernelSide() override { detach(attachments_.links); }
	KernelSide(const KernelSide &) = delete;
	KernelSide &operator=(const KernelSide &) = delete;
	KernelSide(KernelSide &&) = delete;
	KernelSide &operator=(KernelSide &&) = delete;

	Result<void> load();
	Result<void> attach();

	[[nodiscard]] const std::vector<std::string> &missing() const override { return attachments_.missing; }
	Result<void> follow(const FollowRequest &request) override;
	void accept_weak_loops(std::uint32_t pid) override;
	void drain(std::chrono::milliseconds timeout, const std::function<void(Event &&)> &sink) override;
	[[nodiscard]] int poll_fd() const override { return ring_buffer__epoll_fd(ring_.get()); }
	void follow_all(const std::vector<FollowRequest> &requests) override;
	[[nodiscard]] std::vector<UnfollowedThread> census() override;
	void is_pool(std::uint32_t pid) override;
	[[nodiscard]] std::vector<LoopState> loops() const override;
	[[nodiscard]] std::vector<LoopState> busy_loops() const override;
	[[nodiscard]] std::optional<LoopState> loop(LoopKey key) const override;
	[[nodiscard]] std::optional<RawWait> current_wait(LoopKey key) const override;
	[[nodiscard]] std::vector<ThreadSnapshot> snapshot(std::uint32_t pid) override;
	void set_python(LoopKey key, const PythonLayout &layout, std::uint64_t tstate) override;
	void ignore(LoopKey key, bool ignored) override;
	void adopt_poll(std::uint32_t pid, std::uint32_t tid, bool several_descriptors) override;
	void correct_poll(std::uint32_t pid, std::uint32_t tid, int poll_fd) override;
	void force_loop(std::uint32_t pid, std::uint32_t tid) override;
	void sample(LoopKey key, std::uint32_t tid) override;
	[[nodiscard]] std::optional<ProcessActivity> activity(std::uint32_t pid) const override;
	[[nodiscard]] bool counts_accepts() const override { return options_.process_history && !plan_.accept_exit.empty(); }
	void forget_activity(std::uint32_t pid) override;
	[[nodiscard]] LossCounts losses() const override;
	[[nodiscard]] std::uint64_t sample_period_ns() const override {
		return std::clamp(options_.threshold_ns / suspicious_share, min_sample_period_ns, max_sample_period_ns);
	}

private:
	// An iteration is suspicious from that part of the threshold on; the kernel side has the same.
	static constexpr std::uint64_t suspicious_share = 4;

	[[nodiscard]] std::optional<std::uint64_t> iteration_start(LoopKey key) const;
	[[nodiscard]] std::optional<LoopState> loop_in(std::size_t slot) const;
	[[nodiscard]] bool add_target(const FollowRequest &request);
	// Whether it has any thread.
	[[nodiscard]] bool adopt_threads(std::uint32_t pid);
	// Looks at the threads of that followed process, 0: of all, and follows those that are not yet. How many it could not.
	std::uint32_t walk(std::uint32_t pid, const std::function<void(const ls_snapshot &)> &see);
	[[nodiscard]] ls_slot_config *config_for(LoopKey key);
	void change_target(std::uint32_t pid, const std::function<void(ls_target &)> &change);
	static int on_record(void *context, void *data, std::size_t size);

	CollectorOptions options_;
	TracepointPlan plan_;
	Skeleton skeleton_;
	// Destroyed before the skeleton: links first.
	MappedTable loops_, configs_;
	mutable std::vector<std::byte> capture_; // one element of the table of captures, as it was read last
	RingBuffer ring_;
	Attachments attachments_;
	Link iterator_;
	Link census_;
	std::optional<Samplers> samplers_; // none: switched off, or this kernel has none; reads loops_ from a thread of its own
	const std::function<void(Event &&)> *sink_ = nullptr;
	LossCounts dropped_{};
};

} // namespace loopsnoop::collector
