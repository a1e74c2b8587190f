// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "base/result.h"
#include "collector/skeleton.h"
#include "model/event.h"

namespace loopsnoop::collector {

struct SamplersOptions {
	std::uint64_t period_ns = 0;     // of CPU time between two samples of a thread
	std::uint64_t suspicious_ns = 0; // an iteration of that age is sampled; 0: sampled always
	// When the loop's running iteration began, on CLOCK_MONOTONIC; 0: none runs. Called from a thread of the samplers.
	std::function<std::uint64_t(LoopKey)> iteration_start;
};

// The perf events of loop threads: one that interrupts a thread each so many ns of its CPU time, and one at each of its major
// page faults. The first is a timer that the kernel sets at each context switch of the thread, which costs more than all our
// hooks do (3.5 us for a sleep and a wake-up, on a virtual machine where those cost 5 us bare): so it runs only while an
// iteration is suspicious. That is watched by a thread that goes before all others (SCHED_FIFO, where it may): on a machine whose
// CPUs are all taken, the very iteration would be over before its turn came. What it does takes microseconds, a few dozen times a
// second. One thread calls; which one is the caller's choice.
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
	void add(LoopKey key, std::uint32_t tid, bpf_program *on_sample, bpf_program *on_major_fault);
	// A loop that is of no interest, or again of some.
	void ignore(LoopKey key, bool ignored);

private:
	struct Sampler {
		Link samples;
		int samples_event = -1; // the link owns it
		Link faults;
		bool running = false;
		bool ignored = false;
	};
	static void switch_to(Sampler &sampler, bool run);
	void watch(const std::stop_token &stop);
	[[nodiscard]] std::uint64_t look(std::uint64_t now_ns);

	SamplersOptions options_;
	std::mutex mutex_; // of samplers_
	std::condition_variable_any added_;
	std::map<LoopKey, Sampler> samplers_;
	std::jthread watcher_; // the last member: joined first
};

} // namespace loopsnoop::collector
