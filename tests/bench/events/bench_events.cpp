// SPDX-License-Identifier: Apache-2.0
// What one event costs with nothing, an empty BPF program, and loopsnoop on the same hooks; of the followed thread and of
// everybody else. One process, all ways in turn in each round, medians over the rounds; times on one core, nothing else may be
// running.
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "collector/collector.h"
#include "collector/tracepoints.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include "empty.skel.h"
#pragma GCC diagnostic pop

using namespace loopsnoop;

namespace
{

constexpr int switches = 40'000;
constexpr int calls = 200'000;

void pin_to(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(static_cast<std::size_t>(cpu), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

// ns a context switch: two processes on one core hand a byte to and fro; this one is the one that may be followed.
double time_switches()
{
	std::array<int, 2> there{}, back{};
	if (pipe(there.data()) != 0 || pipe(back.data()) != 0) {
		std::perror("pipe");
		std::exit(1);
	}
	const pid_t partner = fork();
	char byte = 0;
	if (partner == 0) {
		for (int i = 0; i < switches; i++) {
			if (read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1) {
				break;
			}
		}
		_exit(0);
	}
	const std::uint64_t start = monotonic_ns();
	for (int i = 0; i < switches; i++) {
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) {
			break;
		}
	}
	const std::uint64_t end = monotonic_ns();
	waitpid(partner, nullptr, 0);
	for (const int fd : {there[0], there[1], back[0], back[1]}) {
		close(fd);
	}
	return static_cast<double>(end - start) / switches / 2;
}

// ns a poll call that does not sleep.
double time_polls()
{
	const UniqueFd poll(epoll_create1(0));
	epoll_event event{};
	const std::uint64_t start = monotonic_ns();
	for (int i = 0; i < calls; i++) {
		(void)epoll_wait(poll.get(), &event, 1, 0);
	}
	return static_cast<double>(monotonic_ns() - start) / calls;
}

// ns a system call that loopsnoop has no hook on.
double time_other_calls()
{
	const std::uint64_t start = monotonic_ns();
	for (int i = 0; i < calls; i++) {
		(void)syscall(SYS_getppid);
	}
	return static_cast<double>(monotonic_ns() - start) / calls;
}

struct Destroy {
	void operator()(empty_bpf *skeleton) const { empty_bpf__destroy(skeleton); }
	void operator()(bpf_link *link) const { bpf_link__destroy(link); }
};

class EmptyPrograms
{
public:
	EmptyPrograms() : skeleton_(empty_bpf__open_and_load())
	{
		const auto ids = collector::tracepoint_ids({"syscalls/sys_enter_epoll_wait", "syscalls/sys_exit_epoll_wait"});
		if (skeleton_ == nullptr || !ids || ids->size() != 2) {
			std::fputs("bench: the empty programs cannot be loaded\n", stderr);
			std::exit(1);
		}
		links_.emplace_back(bpf_program__attach(skeleton_->progs.empty_switch));
		links_.emplace_back(bpf_program__attach(skeleton_->progs.empty_waking));
		attach(skeleton_->progs.empty_enter, ids->at("syscalls/sys_enter_epoll_wait"));
		attach(skeleton_->progs.empty_exit, ids->at("syscalls/sys_exit_epoll_wait"));
	}

private:
	void attach(bpf_program *program, int id)
	{
		perf_event_attr attr{};
		attr.type = PERF_TYPE_TRACEPOINT;
		attr.size = sizeof(attr);
		attr.config = static_cast<std::uint64_t>(id);
		const long fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
		links_.emplace_back(bpf_program__attach_perf_event(program, static_cast<int>(fd)));
	}

	std::unique_ptr<empty_bpf, Destroy> skeleton_;
	std::vector<std::unique_ptr<bpf_link, Destroy>> links_;
};

double median(std::vector<double> values)
{
	std::sort(values.begin(), values.end());
	return values[values.size() / 2];
}

using Figures = std::map<std::string, std::map<std::string, std::vector<double>>>; // event, way

void measure(Figures &figures, const std::string &way)
{
	figures["context switch"][way].push_back(time_switches());
	figures["poll call"][way].push_back(time_polls());
	figures["other system call"][way].push_back(time_other_calls());
}

std::unique_ptr<collector::Collector> following(std::uint32_t pid)
{
	auto started = collector::Collector::start({});
	if (!started) {
		fmt::print(stderr, "bench: {}\n", started.error().describe());
		std::exit(1);
	}
	if (auto followed = (*started)->follow({pid, false, std::nullopt}); !followed) {
		fmt::print(stderr, "bench: {}\n", followed.error().describe());
		std::exit(1);
	}
	return std::move(*started);
}

} // namespace

int main(int argc, char *argv[])
{
	const int rounds = argc > 1 ? std::atoi(argv[1]) : 7;
	pin_to(0);
	// Somebody to follow while this process is anybody.
	const pid_t stranger = fork();
	if (stranger == 0) {
		pause();
		_exit(0);
	}
	Figures figures;
	for (int round = 0; round < rounds; round++) {
		measure(figures, "nothing");
		{
			const EmptyPrograms programs;
			measure(figures, "empty program");
		}
		{
			const auto collector = following(static_cast<std::uint32_t>(stranger));
			measure(figures, "loopsnoop, not followed");
		}
		{
			const auto collector = following(static_cast<std::uint32_t>(getpid()));
			measure(figures, "loopsnoop, followed");
		}
		measure(figures, "nothing again");
	}
	kill(stranger, SIGKILL);
	waitpid(stranger, nullptr, 0);
	fmt::print(
	    "| event | nothing | empty program | loopsnoop, another process | loopsnoop, the followed thread | nothing again |\n");
	fmt::print("| --- | --- | --- | --- | --- | --- |\n");
	for (const auto &[event, ways] : figures) {
		const double bare = median(ways.at("nothing"));
		fmt::print("| {} | {:.0f} ns | {:+.0f} ns | {:+.0f} ns | {:+.0f} ns | {:+.0f} ns |\n", event, bare,
		           median(ways.at("empty program")) - bare, median(ways.at("loopsnoop, not followed")) - bare,
		           median(ways.at("loopsnoop, followed")) - bare, median(ways.at("nothing again")) - bare);
	}
	return 0;
}
