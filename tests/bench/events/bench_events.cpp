// SPDX-License-Identifier: Apache-2.0
// bench_events ROUNDS [all]: what one event takes with nothing, with threads that only wake up as loopsnoop's do, with these and
// an empty BPF program, and with loopsnoop on the same hooks; of the
// followed loop thread and of everybody else; with `all` a loopsnoop that watches the whole host. Prints JSON: for each round the
// ways in the order they were measured, with ns by event; and what the kernel itself counts of each program's runs, taken
// afterwards, as counting costs something. Between any two ways nothing is attached, so that each has its own bare figures on
// both sides.
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "collector/collector.h"
#include "empty_programs.h"
#include "own_programs.h"
#include "timed_events.h"

using namespace loopsnoop;

namespace {

void pin_to(int cpu) {
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(static_cast<std::size_t>(cpu), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

constexpr int tries = 4;

[[noreturn]] void die(const std::string &why) {
	fmt::print(stderr, "bench: {}\n", why);
	std::exit(1); // NOLINT(concurrency-mt-unsafe): nothing else runs
}

unsigned programs_loaded() {
	unsigned count = 0;
	for (std::uint32_t id = 0; bpf_prog_get_next_id(id, &id) == 0;) {
		count++;
	}
	return count;
}

// How many BPF programs are loaded when nobody is at it. Somebody else's may come, go and stay meanwhile.
class Usual {
public:
	// Programs go a second or two after their owner.
	void wait() {
		const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(8);
		while (now() > count_ && std::chrono::steady_clock::now() < patience) {
			std::this_thread::sleep_for(std::chrono::milliseconds(20));
		}
	}
	unsigned now() {
		const unsigned loaded = programs_loaded();
		count_ = std::min(count_, loaded);
		return loaded;
	}

private:
	unsigned count_ = programs_loaded();
};

// What a loopsnoop is to the other core while nothing stalls: threads that wake up, some dozens of times a second, and do
// nothing. Where the cores of a virtual machine share one, that alone makes its sleeps and wake-ups dearer, and is no hook's
// cost.
class Waking {
public:
	Waking() {
		for (const int pause_ms : {50, 100}) { // the samplers' watcher, all being calm at the default threshold, and who drains
			threads_.emplace_back([pause_ms](const std::stop_token &stop) {
				pin_to(1);
				while (!stop.stop_requested()) {
					std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
				}
			});
		}
	}

private:
	std::vector<std::jthread> threads_;
};

// A collector with what it needs around it: somebody who drains it, on the other core.
class Following {
public:
	Following(std::uint32_t pid, bool discover) {
		pin_to(1);
		collector::CollectorOptions options;
		options.discover = discover;
		auto started = collector::Collector::start(options);
		pin_to(0);
		if (!started) {
			die(started.error().describe());
		}
		collector_ = std::move(*started);
		if (auto followed = collector_->followed().follow({pid, false, std::nullopt}); !followed) {
			die(followed.error().describe());
		}
	}

	// What the session adds to a loop that it has found; then nothing but draining.
	void settle(const bench::TimedEvents &events) {
		events.loop_a_little();
		for (const LoopState &loop : collector_->table().loops()) {
			collector_->sample(loop.key, loop.tid);
		}
		drainer_ = std::jthread([this](const std::stop_token &stop) {
			pin_to(1);
			while (!stop.stop_requested()) {
				collector_->drain(std::chrono::milliseconds(100), [](const Event &) {});
			}
		});
		// Whether there are perf events is tried at the start; the kernel takes its own part of each context switch out again
		// only a second after the last one is gone (perf_sched_work, kernel/events/core.c). What stays is measured, not the
		// beginning.
		const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(2500);
		while (std::chrono::steady_clock::now() < until) {
			events.loop_a_little();
		}
	}

private:
	std::unique_ptr<collector::Collector> collector_;
	std::jthread drainer_; // stops first
};

// By event and program: how often it ran, and how long in all, by the kernel's own account; what other programs on the hooks take
// is not in it.
nlohmann::json runs_by_event(bench::TimedEvents &events) {
	const auto counting = bench::count_runs();
	if (!counting) {
		die(counting.error().describe());
	}
	nlohmann::json by_event;
	auto before = bench::own_programs();
	events.run([&](const std::string &event) {
		auto now = bench::own_programs();
		for (const auto &[name, runs] : now) {
			const bench::Runs past = before[name];
			if (runs.count > past.count) {
				by_event[event][name] = {{"count", runs.count - past.count}, {"ns", runs.ns - past.ns}};
			}
		}
		before = std::move(now);
	});
	return by_event;
}

} // namespace

int main(int argc, char *argv[]) {
	const int rounds = argc > 1 ? static_cast<int>(std::strtol(argv[1], nullptr, 10)) : 7;
	const bool discover = argc > 2 && std::string_view(argv[2]) == "all";
	pin_to(0);
	Usual usual;
	bench::TimedEvents events;
	// A process of several threads pays more for each call on a descriptor (fdget(), include/linux/file.h), and a collector
	// brings threads of its own: so that there are always some.
	const std::jthread bystander([](const std::stop_token &stop) {
		std::mutex mutex;
		std::unique_lock lock(mutex);
		std::condition_variable_any().wait(lock, stop, [] { return false; });
	});
	// To be followed while this process is anybody: a loop that is idle. One that seems to be stuck is sampled, and while any
	// thread of the host has perf events, the kernel does more at each context switch of all.
	const pid_t stranger = fork();
	if (stranger == 0) {
		epoll_event event{};
		(void)epoll_wait(epoll_create1(EPOLL_CLOEXEC), &event, 1, -1);
		_exit(0);
	}
	nlohmann::json all = nlohmann::json::array();
	nlohmann::json runs;
	for (int round = 0; round < rounds; round++) {
		nlohmann::json ways = nlohmann::json::array();
		const auto measure = [&](const char *way) {
			const bool bare = std::string_view(way) == "nothing";
			for (int again = 0;; again++) {
				if (bare) {
					usual.wait();
				}
				const unsigned before = usual.now();
				auto measured = events.measure();
				const unsigned after = usual.now();
				if (before == after || again == tries) {
					ways.push_back({{"way", way},
					                {"ns", std::move(measured.ns)},
					                {"strayed", std::move(measured.strayed)},
					                {"gauge_ns", measured.gauge_ns},
					                {"programs", {before, after}}});
					break;
				}
			}
			if (!bare && std::string_view(way) != "waking") {
				runs[way].push_back(runs_by_event(events));
			}
		};
		measure("nothing");
		{
			const Waking waking;
			measure("waking");
		}
		measure("nothing");
		{
			const Waking waking;
			const auto programs = bench::EmptyPrograms::attach();
			if (!programs) {
				die(programs.error().describe());
			}
			measure("empty");
		}
		measure("nothing");
		{
			Following following(static_cast<std::uint32_t>(stranger), discover);
			following.settle(events);
			measure("other");
		}
		measure("nothing");
		{
			Following following(static_cast<std::uint32_t>(getpid()), discover);
			following.settle(events);
			measure("followed");
		}
		measure("nothing");
		all.push_back(std::move(ways));
		fmt::print(stderr, "  round {}/{}\n", round + 1, rounds);
	}
	kill(stranger, SIGKILL);
	waitpid(stranger, nullptr, 0);
	fmt::print("{}\n", nlohmann::json{{"rounds", std::move(all)}, {"runs", std::move(runs)}}.dump());
	return 0;
}
