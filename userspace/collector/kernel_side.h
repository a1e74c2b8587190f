// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "collector/attach.h"
#include "collector/collector.h"
#include "collector/knobs.h"
#include "collector/loop_tables.h"
#include "collector/samplers.h"
#include "collector/targets.h"

namespace loopsnoop::collector {

// The collector that there is: BPF programs, their tables and their ring buffer. For this room alone. Who is followed is in
// Targets, what is read from and written to the tables of loops in LoopTables.
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
	void drain(std::chrono::milliseconds timeout, const std::function<void(Event &&)> &sink) override;
	[[nodiscard]] int poll_fd() const override { return ring_buffer__epoll_fd(ring_.get()); }
	[[nodiscard]] LossCounts losses() const override;

	[[nodiscard]] FollowedProcesses &followed() override { return targets_; }
	[[nodiscard]] LoopTable &table() override { return tables_; }
	[[nodiscard]] const LoopTable &table() const override { return tables_; }

	void ignore(LoopKey key, bool ignored) override;

	void sample(LoopKey key, std::uint32_t tid) override;
	[[nodiscard]] std::vector<std::uint32_t> sample_threads(const SamplingRequest &request,
	                                                        const std::function<void(RawSample &&)> &sink) override;
	[[nodiscard]] std::uint64_t sample_period_ns() const override { return sample_period_of(options_); }

	[[nodiscard]] std::optional<ProcessActivity> activity(std::uint32_t pid) const override;
	[[nodiscard]] bool counts_accepts() const override { return options_.process_history && !plan_.accept_exit.empty(); }
	void forget_activity(std::uint32_t pid) override;

private:
	static int on_record(void *context, void *data, std::size_t size);

	CollectorOptions options_;
	TracepointPlan plan_;
	Skeleton skeleton_;
	// Destroyed before the skeleton: links first.
	LoopTables tables_;
	RingBuffer ring_;
	Attachments attachments_;
	Targets targets_;
	std::optional<Samplers> samplers_; // none: switched off, or this kernel has none; reads tables_ from a thread of its own
	const std::function<void(Event &&)> *sink_ = nullptr;
};

} // namespace loopsnoop::collector
