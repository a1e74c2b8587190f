// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "base/result.h"
#include "base/unique_fd.h"
#include "collector/skeleton.h"
#include "collector/software_event.h"
#include "model/event.h"

namespace loopsnoop::collector {

struct SamplersOptions {
	std::uint64_t period_ns = 0;     // of CPU time between two samples of a thread
	std::uint64_t suspicious_ns = 0; // an iteration of that age is sampled; 0: sampled always
	// When the loop's running iteration began, on CLOCK_MONOTONIC; 0: none runs; nullopt: the loop is gone. Called from a thread
	// of the samplers.
	std::function<std::optional<std::uint64_t>(LoopKey)> iteration_start;
	// Run at each sample, and at each major page fault.
	bpf_program *on_sample = nullptr;
	bpf_program *on_major_fault = nullptr;
};

// The perf events of loop threads: one that interrupts a thread each so many ns of its CPU time, and one at each of its major
// page faults. A thread that has any, switched off even, pays for them at each of its context switches, as much again as for all
// our hooks. So they are opened once an iteration is suspicious, switched off when it is over, and closed when no other has been
// for a while. That is watched by a thread that goes before ordinary ones, where it may: on a machine whose CPUs are all taken,
// the very iteration would be over before its turn came. What it does takes microseconds, a few dozen times a second. One thread
// calls; which one is the caller's choice.
class Samplers {
public:
	explicit Samplers(SamplersOptions options);
	~Samplers();
	Samplers(const Samplers &) = delete;
	Samplers &operator=(const Samplers &) = delete;
	Samplers(Samplers &&) = delete;
	Samplers &operator=(Samplers &&) = delete;

	// Whether this kernel lets us.
	[[nodiscard]] static Result<void> possible();
	// A thread that has ended meanwhile has none, which is no error.
	void add(LoopKey key, std::uint32_t tid);
	// A loop that is of no interest, or again of some.
	void ignore(LoopKey key, bool ignored);
	// How often a thread that was there got no perf event. From any thread.
	[[nodiscard]] std::uint64_t refused() const { return refused_; }

private:
	struct Sampler {
		std::uint32_t tid = 0;
		SoftwareEvent samples, faults;
		bool open = false;
		bool running = false;
		bool ignored = false;
		std::uint64_t calm_since_ns = 0; // while it is open and not running
	};
	[[nodiscard]] SoftwareEvent attach(std::uint32_t tid, std::uint64_t event, std::uint64_t period, const bpf_program *program);
	void open(Sampler &sampler);
	static void close(Sampler &sampler);
	void run(Sampler &sampler);
	static void pause(Sampler &sampler, std::uint64_t now_ns);
	void warm_up(std::uint64_t now_ns);
	void watch(const std::stop_token &stop);
	[[nodiscard]] std::uint64_t check(std::uint64_t now_ns);

	SamplersOptions options_;
	std::atomic<std::uint64_t> refused_ = 0;
	std::mutex mutex_; // of samplers_
	std::condition_variable_any added_;
	std::map<LoopKey, Sampler> samplers_;
	UniqueFd warm_; // the watcher's only
	std::uint64_t warm_since_ns_ = 0;
	std::uint64_t last_suspicious_ns_ = 0; // the watcher's only, too
	std::jthread watcher_;                 // the last member: joined first
};

} // namespace loopsnoop::collector
