// SPDX-License-Identifier: Apache-2.0
#include "collector/thread_samples.h"

#include <linux/perf_event.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <thread>
#include <utility>
#include <variant>

#include "base/clock.h"
#include "collector/software_event.h"

namespace loopsnoop::collector {

namespace {

constexpr std::uint64_t thread_period_ns = 1'000'000; // of its CPU time
constexpr auto drain_pause = std::chrono::milliseconds(2);

struct SampledThread {
	SoftwareEvent event;
	std::uint64_t samples = 0;
};

} // namespace

std::vector<std::uint32_t> sample_threads(const SamplingRequest &request, const bpf_program *program,
                                          const std::function<void(const std::function<void(Event &&)> &)> &drain,
                                          const std::function<void(RawSample &&)> &sink) {
	std::map<std::uint32_t, SampledThread> threads;
	std::vector<std::uint32_t> refused;
	for (const std::uint32_t tid : request.tids) {
		auto event = attach_software_event(tid, PERF_COUNT_SW_CPU_CLOCK, thread_period_ns, program);
		if (event) {
			threads[tid].event = std::move(*event);
		} else if (event.error().code != ESRCH) { // which is one that has ended
			refused.push_back(tid);
		}
	}
	const std::uint64_t begin_ns = monotonic_ns();
	const auto all_have = [&](std::uint64_t samples) {
		return std::ranges::all_of(threads, [&](const auto &one) { return one.second.samples >= samples; });
	};
	while (!all_have(request.enough)) {
		const std::uint64_t age_ns = monotonic_ns() - begin_ns;
		if (age_ns >= (all_have(1) ? request.usual_ns : request.longest_ns)) {
			break;
		}
		std::this_thread::sleep_for(drain_pause);
		drain([&](Event &&event) {
			auto *sample = std::get_if<RawSample>(&event);
			const auto thread = sample != nullptr ? threads.find(sample->tid) : threads.end();
			if (thread == threads.end() || thread->second.samples >= request.enough) {
				return;
			}
			if (++thread->second.samples == request.enough) {
				thread->second.event = {}; // it is interrupted no more
			}
			sink(std::move(*sample));
		});
	}
	return refused;
}

} // namespace loopsnoop::collector
