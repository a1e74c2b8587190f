// SPDX-License-Identifier: Apache-2.0
#include "collector/samplers.h"

#include <linux/perf_event.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace loopsnoop::collector {

namespace {

enum class From : std::uint8_t { now, when_enabled };

// A software event of one thread (0: this one), on whatever CPU, that interrupts it at each `period` of it.
Result<UniqueFd> open_software_event(std::uint32_t tid, std::uint64_t event, std::uint64_t period, From from) {
	perf_event_attr attr{};
	attr.type = PERF_TYPE_SOFTWARE;
	attr.size = sizeof(attr);
	attr.config = event;
	attr.sample_period = period; // NOLINT(cppcoreguidelines-pro-type-union-access): the kernel's type
	attr.disabled = from == From::when_enabled ? 1 : 0;
	const long fd = syscall(SYS_perf_event_open, &attr, static_cast<pid_t>(tid), -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0) {
		return errno_error("open a perf event");
	}
	return UniqueFd(static_cast<int>(fd));
}

// Runs the program each time the event interrupts its thread. The link owns the event then.
Link attach_to(Result<UniqueFd> &event, bpf_program *program) {
	if (!event) {
		return nullptr;
	}
	return Link(bpf_program__attach_perf_event(program, event->get()));
}

// Only as long as it takes to find out whether the kernel has it.
constexpr std::uint64_t some_period_ns = 5'000'000;
constexpr std::uint64_t shortest_pause_ns = 1'000'000;
constexpr std::uint64_t longest_pause_ns = 50'000'000;

// Before all ordinary threads, the lowest of those that are; without the right to it, as far forward as may be.
void step_forward() {
	sched_param priority{};
	priority.sched_priority = 1;
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) != 0) {
		(void)setpriority(PRIO_PROCESS, 0, -20); // of this thread alone, on Linux
	}
}

} // namespace

Samplers::Samplers(SamplersOptions options) : options_(std::move(options)) {
	if (options_.suspicious_ns != 0) {
		watcher_ = std::jthread([this](const std::stop_token &stop) { watch(stop); });
	}
}

Samplers::~Samplers() = default;

Result<void> Samplers::possible() {
	if (const auto event = open_software_event(0, PERF_COUNT_SW_CPU_CLOCK, some_period_ns, From::when_enabled); !event) {
		return event.error();
	}
	return {};
}

void Samplers::add(LoopKey key, std::uint32_t tid, bpf_program *on_sample, bpf_program *on_major_fault) {
	const std::lock_guard lock(mutex_);
	std::erase_if(samplers_, [&](const auto &entry) { return entry.first.slot == key.slot && entry.first != key; });
	if (samplers_.contains(key)) {
		return;
	}
	Sampler &sampler = samplers_[key];
	auto clock = open_software_event(tid, PERF_COUNT_SW_CPU_CLOCK, options_.period_ns, From::when_enabled);
	sampler.samples = attach_to(clock, on_sample);
	if (sampler.samples != nullptr) {
		sampler.samples_event = clock->release();
		sampler.running = true; // libbpf enables what it attaches to
		switch_to(sampler, options_.suspicious_ns == 0);
	}
	// Which file a major page fault is for; the wait itself is told without.
	auto faults = open_software_event(tid, PERF_COUNT_SW_PAGE_FAULTS_MAJ, 1, From::now);
	sampler.faults = attach_to(faults, on_major_fault);
	if (sampler.faults != nullptr) {
		(void)faults->release();
	}
	added_.notify_all();
}

void Samplers::ignore(LoopKey key, bool ignored) {
	const std::lock_guard lock(mutex_);
	const auto entry = samplers_.find(key);
	if (entry != samplers_.end()) {
		entry->second.ignored = ignored;
		switch_to(entry->second, options_.suspicious_ns == 0 && !ignored);
		added_.notify_all();
	}
}

void Samplers::switch_to(Sampler &sampler, bool run) {
	if (sampler.samples_event >= 0 && sampler.running != run &&
	    ioctl(sampler.samples_event, run ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0) == 0) {
		sampler.running = run;
	}
}

void Samplers::watch(const std::stop_token &stop) {
	(void)prctl(PR_SET_NAME, "loopsnoop-watch");
	step_forward();
	std::unique_lock lock(mutex_);
	while (!stop.stop_requested()) {
		if (!added_.wait(lock, stop, [&] { return !samplers_.empty(); })) {
			return;
		}
		const std::uint64_t pause = look(monotonic_ns());
		added_.wait_for(lock, stop, std::chrono::nanoseconds(pause), [] { return false; });
	}
}

// Each loop once; how long nothing can become suspicious without being seen in time.
std::uint64_t Samplers::look(std::uint64_t now_ns) {
	std::uint64_t due = now_ns + std::min(options_.suspicious_ns, longest_pause_ns);
	for (auto &[key, sampler] : samplers_) {
		const std::uint64_t start = sampler.ignored ? 0 : options_.iteration_start(key);
		const bool suspicious = start != 0 && now_ns >= start + options_.suspicious_ns;
		switch_to(sampler, suspicious);
		if (start != 0 && !suspicious) {
			due = std::min(due, start + options_.suspicious_ns);
		}
	}
	return std::max(due - now_ns, shortest_pause_ns);
}

} // namespace loopsnoop::collector
