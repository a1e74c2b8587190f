// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/eventfd.h>

#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "collector/collector.h"

// A kernel side of literals: what a test puts into its tables is what the session sees, and what the session asked for is kept to
// be checked. `drain` may run in a second thread as long as the test does not touch `queue` meanwhile.
class FakeCollector : public loopsnoop::collector::Collector,
                      public loopsnoop::collector::FollowedProcesses,
                      public loopsnoop::collector::LoopTable {
public:
	using Thread = std::pair<std::uint32_t, std::uint32_t>; // pid, tid

	// What there is.
	std::map<loopsnoop::LoopKey, loopsnoop::LoopState> states;
	std::map<loopsnoop::LoopKey, loopsnoop::RawWait> waits;
	std::map<std::uint32_t, std::vector<loopsnoop::ThreadSnapshot>> threads;
	std::map<std::uint32_t, loopsnoop::ProcessActivity> activities;
	std::vector<loopsnoop::UnfollowedThread> unfollowed;
	std::deque<loopsnoop::Event> queue;
	std::vector<std::string> not_attached;
	loopsnoop::LossCounts lost{};
	std::uint64_t period_ns = 1'000'000;
	std::vector<loopsnoop::RawSample> samples; // of whoever is sampled for a dump
	std::vector<std::uint32_t> refused;

	// What was asked for.
	std::vector<loopsnoop::collector::FollowRequest> requests;
	std::set<loopsnoop::LoopKey> ignored;
	std::set<loopsnoop::LoopKey> sampled;
	std::set<std::uint32_t> pools;
	std::set<std::uint32_t> weak_accepted;
	std::set<std::uint32_t> activities_forgotten;
	std::map<Thread, bool> adopted;  // whether on several descriptors
	std::map<Thread, int> corrected; // its loop's descriptor
	std::set<Thread> forced;
	unsigned snapshots_taken = 0;
	std::vector<loopsnoop::collector::SamplingRequest> sampling;

	[[nodiscard]] const std::vector<std::string> &missing() const override { return not_attached; }
	loopsnoop::collector::FollowedProcesses &followed() override { return *this; }
	[[nodiscard]] loopsnoop::collector::LoopTable &table() override { return *this; }
	[[nodiscard]] const loopsnoop::collector::LoopTable &table() const override { return *this; }
	loopsnoop::Result<void> follow(const loopsnoop::collector::FollowRequest &request) override {
		requests.push_back(request);
		return {};
	}
	void follow_all(const std::vector<loopsnoop::collector::FollowRequest> &all) override {
		requests.insert(requests.end(), all.begin(), all.end());
	}
	[[nodiscard]] std::vector<loopsnoop::UnfollowedThread> census() override { return unfollowed; }
	void is_pool(std::uint32_t pid) override { pools.insert(pid); }
	void accept_weak_loops(std::uint32_t pid) override { weak_accepted.insert(pid); }
	void drain(std::chrono::milliseconds /*timeout*/, const std::function<void(loopsnoop::Event &&)> &sink) override {
		for (; !queue.empty(); queue.pop_front()) {
			sink(std::move(queue.front()));
		}
	}
	[[nodiscard]] int poll_fd() const override { return readable_.get(); }
	[[nodiscard]] std::vector<loopsnoop::LoopState> loops() const override {
		std::vector<loopsnoop::LoopState> all;
		for (const auto &[key, state] : states) {
			all.push_back(state);
		}
		return all;
	}
	[[nodiscard]] std::vector<loopsnoop::LoopState> busy_loops() const override {
		auto busy = loops();
		std::erase_if(busy,
		              [](const loopsnoop::LoopState &state) { return state.iteration_start_ns == 0 && state.woken_at_ns == 0; });
		return busy;
	}
	[[nodiscard]] std::optional<loopsnoop::LoopState> loop(loopsnoop::LoopKey key) const override {
		const auto entry = states.find(key);
		return entry != states.end() ? std::optional(entry->second) : std::nullopt;
	}
	[[nodiscard]] std::optional<loopsnoop::RawWait> current_wait(loopsnoop::LoopKey key) const override {
		const auto entry = waits.find(key);
		return entry != waits.end() ? std::optional(entry->second) : std::nullopt;
	}
	[[nodiscard]] std::vector<loopsnoop::ThreadSnapshot> snapshot(std::uint32_t pid) override {
		snapshots_taken++;
		return threads[pid];
	}
	void set_python(loopsnoop::LoopKey /*key*/, const loopsnoop::PythonLayout & /*layout*/, std::uint64_t /*tstate*/) override {}
	void ignore(loopsnoop::LoopKey key, bool is_ignored) override {
		if (is_ignored) {
			ignored.insert(key);
		} else {
			ignored.erase(key);
		}
	}
	void adopt_poll(std::uint32_t pid, std::uint32_t tid, bool several_descriptors) override {
		adopted[{pid, tid}] = several_descriptors;
	}
	void correct_poll(std::uint32_t pid, std::uint32_t tid, int poll_fd) override { corrected[{pid, tid}] = poll_fd; }
	void force_loop(std::uint32_t pid, std::uint32_t tid) override { forced.insert({pid, tid}); }
	void sample(loopsnoop::LoopKey key, std::uint32_t /*tid*/) override { sampled.insert(key); }
	[[nodiscard]] std::vector<std::uint32_t> sample_threads(const loopsnoop::collector::SamplingRequest &request,
	                                                        const std::function<void(loopsnoop::RawSample &&)> &sink) override {
		sampling.push_back(request);
		for (loopsnoop::RawSample sample : samples) {
			sink(std::move(sample));
		}
		return refused;
	}
	[[nodiscard]] std::optional<loopsnoop::ProcessActivity> activity(std::uint32_t pid) const override {
		const auto entry = activities.find(pid);
		return entry != activities.end() ? std::optional(entry->second) : std::nullopt;
	}
	[[nodiscard]] bool counts_accepts() const override { return true; }
	void forget_activity(std::uint32_t pid) override { activities_forgotten.insert(pid); }
	[[nodiscard]] loopsnoop::LossCounts losses() const override { return lost; }
	[[nodiscard]] std::uint64_t sample_period_ns() const override { return period_ns; }

private:
	loopsnoop::UniqueFd readable_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)}; // never readable: the test calls `fetch`
};
