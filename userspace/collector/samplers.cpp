// SPDX-License-Identifier: Apache-2.0
#include "collector/samplers.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <utility>

#include "base/capabilities.h"
#include "base/clock.h"
#include "base/scheduling.h"
#include "base/unique_fd.h"
#include "model/settings.h"

namespace loopsnoop::collector {

namespace {

// Only as long as it takes to find out whether the kernel has it.
constexpr std::uint64_t some_period_ns = 5'000'000;
constexpr std::uint64_t shortest_pause_ns = 1'000'000;
constexpr std::uint64_t longest_pause_ns = 50'000'000;
// What it takes, at worst, from seeing an iteration that nothing was warmed up for to its first samples.
constexpr std::uint64_t cold_start_ns = 15'000'000;
// Opening takes some 20 us: not for each of many suspicious iterations in a row.
constexpr std::uint64_t calm_ns = 1'000'000'000;
// No iteration has been suspicious for so long: perhaps none will be.
constexpr std::uint64_t long_calm_ns = 10'000'000'000;

// The watcher may come so late; with a short threshold less, as its pauses are shorter then.
constexpr std::uint64_t max_slack_ns = 4'000'000;

// Each wake-up is dear to the server: where CPUs share a core, as those of virtual machines often do, an idle one that wakes and
// spins for more work before it sleeps again slows its sibling. So as few as will do. An iteration that is seen late, and cold,
// still has its samples from half the threshold on; the first one after a long calm from two thirds on.
std::uint64_t pause_between_checks(std::uint64_t suspicious_ns, bool calm) {
	const std::uint64_t threshold_ns = suspicious_share * suspicious_ns;
	const std::uint64_t sampled_at_ns = calm ? threshold_ns * 2 / 3 : threshold_ns / 2;
	const std::uint64_t late = std::max(sampled_at_ns, cold_start_ns) - cold_start_ns;
	const std::uint64_t longest = calm ? longest_pause_ns : std::min(suspicious_ns, longest_pause_ns);
	return std::clamp(late, std::min(suspicious_ns / 2, longest), longest);
}

// Debian's and Ubuntu's kernels know more of this than 2, which is the most of kernel.org's: 3, the default of Debian's, leaves
// perf events to CAP_SYS_ADMIN (their patch "security,perf: Allow further restriction of perf_event_open").
bool perfmon_is_not_enough() {
	int paranoid = 0;
	return std::ifstream("/proc/sys/kernel/perf_event_paranoid") >> paranoid && paranoid > 2;
}

} // namespace

Samplers::Samplers(SamplersOptions options) : options_(std::move(options)) {
	if (options_.suspicious_ns != 0) {
		watcher_ = std::jthread([this](const std::stop_token &stop) { watch(stop); });
	}
}

Samplers::~Samplers() = default;

Result<void> Samplers::possible() {
	if (const auto event = open_software_event(0, PERF_COUNT_SW_CPU_CLOCK, some_period_ns); !event) {
		return event.error();
	}
	return {};
}

SoftwareEvent Samplers::attach(std::uint32_t tid, std::uint64_t event, std::uint64_t period, const bpf_program *program) {
	auto attached = attach_software_event(tid, event, period, program);
	if (!attached) {
		refused_ += attached.error().code == ESRCH ? 0 : 1; // it has ended
		return {};
	}
	return std::move(*attached);
}

void Samplers::open(Sampler &sampler) {
	sampler.samples = attach(sampler.tid, PERF_COUNT_SW_CPU_CLOCK, options_.period_ns, options_.on_sample);
	// Which file a major page fault is for, known as it ends: soon enough for the one that makes the iteration suspicious.
	sampler.faults = attach(sampler.tid, PERF_COUNT_SW_PAGE_FAULTS_MAJ, 1, options_.on_major_fault);
	sampler.open = sampler.running = true;
}

void Samplers::close(Sampler &sampler) {
	sampler.samples = {};
	sampler.faults = {};
	sampler.open = sampler.running = false;
}

void Samplers::run(Sampler &sampler) {
	if (!sampler.open) {
		open(sampler);
		return;
	}
	for (const int event : {sampler.samples.descriptor, sampler.faults.descriptor}) {
		if (!sampler.running && event >= 0) {
			(void)ioctl(event, PERF_EVENT_IOC_ENABLE, 0);
		}
	}
	sampler.running = true;
}

void Samplers::pause(Sampler &sampler, std::uint64_t now_ns) {
	if (!sampler.running) {
		return;
	}
	for (const int event : {sampler.samples.descriptor, sampler.faults.descriptor}) {
		if (event >= 0) {
			(void)ioctl(event, PERF_EVENT_IOC_DISABLE, 0);
		}
	}
	sampler.running = false;
	sampler.calm_since_ns = now_ns;
}

void Samplers::add(LoopKey key, std::uint32_t tid) {
	const std::lock_guard lock(mutex_);
	std::erase_if(samplers_, [&](const auto &entry) { return entry.first.slot == key.slot && entry.first != key; });
	if (samplers_.contains(key)) {
		return;
	}
	Sampler &sampler = samplers_[key];
	sampler.tid = tid;
	if (options_.suspicious_ns == 0) {
		open(sampler);
	}
	added_.notify_all();
}

void Samplers::ignore(LoopKey key, bool ignored) {
	const std::lock_guard lock(mutex_);
	const auto entry = samplers_.find(key);
	if (entry == samplers_.end()) {
		return;
	}
	entry->second.ignored = ignored;
	if (ignored) {
		close(entry->second);
	} else if (options_.suspicious_ns == 0) {
		run(entry->second);
	}
	added_.notify_all();
}

void Samplers::watch(const std::stop_token &stop) {
	(void)prctl(PR_SET_NAME, "loopsnoop-watch");
	go_before_ordinary_threads();
	allow_late_wakeups(std::min(max_slack_ns, options_.suspicious_ns / 4));
	// To open events and to attach to them.
	(void)keep_capabilities({CAP_BPF, CAP_PERFMON, perfmon_is_not_enough() ? unsigned{CAP_SYS_ADMIN} : unsigned{CAP_PERFMON}});
	std::unique_lock lock(mutex_);
	while (!stop.stop_requested()) {
		if (!added_.wait(lock, stop, [&] { return !samplers_.empty(); })) {
			return;
		}
		const std::uint64_t pause_ns = check(monotonic_ns());
		added_.wait_for(lock, stop, std::chrono::nanoseconds(pause_ns), [] { return false; });
	}
}

// The first event of any thread on the host has the kernel rewrite its own code and wait for all CPUs, some ten milliseconds, and
// from then on each context switch of the host costs a little more. So there is one for nothing, of this thread's own, while an
// iteration is on its way to being suspicious: then the events of its thread are there at once.
void Samplers::warm_up(std::uint64_t now_ns) {
	if (!warm_.valid()) {
		if (auto event = open_software_event(0, PERF_COUNT_SW_DUMMY, 0)) {
			warm_ = std::move(*event);
		}
	}
	warm_since_ns_ = now_ns;
}

// Each loop once; how long nothing can become suspicious without being seen in time.
std::uint64_t Samplers::check(std::uint64_t now_ns) {
	const std::uint64_t warm_ns = options_.suspicious_ns / 2;
	const bool calm = now_ns - last_suspicious_ns_ >= long_calm_ns;
	const std::uint64_t pause_ns = pause_between_checks(options_.suspicious_ns, calm);
	std::uint64_t due = next_on_grid(now_ns, pause_ns);
	for (auto entry = samplers_.begin(); entry != samplers_.end();) {
		const auto start = options_.iteration_start(entry->first);
		if (!start) {
			entry = samplers_.erase(entry);
			continue;
		}
		Sampler &sampler = entry->second;
		++entry;
		const bool busy = *start != 0 && !sampler.ignored;
		if (busy && now_ns >= *start + options_.suspicious_ns) {
			last_suspicious_ns_ = now_ns;
			run(sampler);
			continue;
		}
		pause(sampler, now_ns);
		if (sampler.open && now_ns - sampler.calm_since_ns >= calm_ns) {
			close(sampler);
		}
		if (busy && now_ns >= *start + warm_ns) {
			warm_up(now_ns);
			due = std::min(due, *start + options_.suspicious_ns);
		}
	}
	if (warm_.valid() && now_ns - warm_since_ns_ >= calm_ns) {
		warm_.reset();
	}
	return std::max(due - now_ns, shortest_pause_ns);
}

} // namespace loopsnoop::collector
