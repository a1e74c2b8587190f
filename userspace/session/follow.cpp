// SPDX-License-Identifier: Apache-2.0
#include "session/follow.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <iterator>
#include <mutex>
#include <utility>

#include "analysis/restarts.h"
#include "base/capabilities.h"
#include "base/clock.h"
#include "base/scheduling.h"
#include "base/unique_fd.h"
#include "base/version.h"
#include "collector/collector.h"
#include "process/procfs.h"
#include "session/children.h"
#include "session/discovery.h"
#include "session/event_queue.h"
#include "session/launch.h"
#include "session/look.h"
#include "session/programs.h"
#include "session/requests.h"
#include "session/resolver.h"
#include "session/stalls.h"
#include "session/status_meter.h"

namespace loopsnoop::session {

namespace {

constexpr std::uint64_t ns_per_s = 1'000'000'000;
constexpr std::uint64_t tick_ns = 50'000'000;
constexpr std::uint64_t slack_ns = 2'000'000; // what a tick may come late
constexpr std::uint64_t shortest_tick_ns = 5'000'000;
constexpr std::uint64_t status_ns = 1'000'000'000;

Result<UniqueFd> take_signals() {
	sigset_t set;
	sigemptyset(&set);
	for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGWINCH}) {
		sigaddset(&set, signal);
	}
	sigprocmask(SIG_BLOCK, &set, nullptr);
	(void)std::signal(SIGPIPE, SIG_IGN);
	UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
	if (!fd.valid()) {
		return errno_error("take signals");
	}
	return fd;
}

// All but the time, which is taken before the first thread is followed: no loop has a longer account than the session.
SessionStart session_start(const FollowSettings &settings, const collector::Collector &collector) {
	SessionStart start;
	utsname names{};
	uname(&names);
	start.version = version();
	start.host = names.nodename;
	start.kernel = names.release;
	start.threshold_ns = settings.threshold_ns;
	start.argv = settings.argv;
	start.missing = collector.missing();
	start.discovery = settings.discovery.has_value();
	return start;
}

// Each loop has two perf events, and shells allow 1024 descriptors unless asked.
void allow_many_descriptors() {
	rlimit limit{};
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

// What loading and attaching took, and is not needed to follow what comes later. To keep: the tables and the links of new loops'
// perf events (BPF, PERFMON); memory, descriptors and files of other users' processes (SYS_PTRACE, DAC_READ_SEARCH); their
// network namespaces, and files that are mapped and gone (SYS_ADMIN); names of kernel functions, read when first wanted (SYSLOG).
Result<void> give_up_capabilities(bool has_command) {
	constexpr unsigned nothing = CAP_BPF;
	return keep_capabilities({CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN, CAP_SYSLOG,
	                          has_command ? CAP_KILL : nothing}); // the command may have become another user
}

struct Signals {
	bool stop = false;
	int forward = 0; // sent by a process, not by the terminal: the command has not got it
	bool winch = false;
};

Signals read_signals(int fd) {
	Signals signals;
	signalfd_siginfo info{};
	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP) {
			signals.stop = true;
			signals.forward = info.ssi_code <= 0 ? static_cast<int>(info.ssi_signo) : 0;
		} else if (info.ssi_signo == SIGWINCH) {
			signals.winch = true;
		}
	}
	return signals;
}

std::uint64_t important_losses(const LossCounts &losses) {
	std::uint64_t sum = 0;
	for (std::size_t i = 0; i < losses.size(); i++) {
		const auto loss = static_cast<Loss>(i);
		if (loss != Loss::capture_budget && loss != Loss::user_stack_unreadable && loss != Loss::switch_untraced) {
			sum += losses.at(i);
		}
	}
	return sum;
}

// Lends the kernel's tables to another thread while the session lasts.
class LiveLook {
public:
	LiveLook(const std::function<void(std::function<LiveNumbers()>)> &lend, const collector::Collector &collector) : lend_(lend) {
		update(collector, monotonic_ns());
		if (lend_) {
			lend_([this, &collector] { return LiveNumbers{monotonic_ns(), collector.loops(), lost()}; });
		}
	}
	~LiveLook() {
		if (lend_) {
			lend_({});
		}
	}
	LiveLook(const LiveLook &) = delete;
	LiveLook &operator=(const LiveLook &) = delete;
	LiveLook(LiveLook &&) = delete;
	LiveLook &operator=(LiveLook &&) = delete;

	// The losses are read by this thread alone: the other one may have no right to. Now and then: it takes two dozen system
	// calls.
	void update(const collector::Collector &collector, std::uint64_t now_ns) {
		if (!lend_ || now_ns < next_update_ns_) {
			return;
		}
		next_update_ns_ = now_ns + status_ns;
		const std::lock_guard lock(mutex_);
		lost_ = collector.losses();
	}

private:
	[[nodiscard]] LossCounts lost() const {
		const std::lock_guard lock(mutex_);
		return lost_;
	}

	mutable std::mutex mutex_;
	LossCounts lost_{};
	std::uint64_t next_update_ns_ = 0;
	const std::function<void(std::function<LiveNumbers()>)> &lend_;
};

} // namespace

Result<FollowEnd> follow(const FollowSettings &settings, const Outputs &outputs) {
	const process::ProcFs proc;
	auto requests = requests_for(settings, proc);
	if (!requests) {
		return requests.error();
	}
	std::optional<Discovery> discovery;
	if (settings.discovery) {
		auto created = Discovery::create(*settings.discovery, proc);
		if (!created) {
			return created.error();
		}
		discovery.emplace(std::move(*created));
		allow_many_descriptors();
	}
	auto signals = take_signals();
	if (!signals) {
		return signals.error();
	}
	collector::CollectorOptions options;
	options.threshold_ns = settings.threshold_ns;
	options.stack_bytes = settings.stack_bytes;
	options.max_loops = settings.max_loops;
	options.discover = discovery.has_value();
	options.without = settings.without;
	options.lives = settings.children;
	options.verbose = settings.verbose;
	auto started = collector::Collector::start(options);
	if (!started) {
		return started.error();
	}
	collector::Collector &collector = **started;

	std::optional<Launch> launch;
	if (!settings.command.empty()) {
		auto forked = Launch::fork(settings.command);
		if (!forked) {
			return forked.error();
		}
		launch.emplace(std::move(*forked));
		requests->push_back({static_cast<std::uint32_t>(launch->pid()), settings.children, std::nullopt});
	}

	if (auto given_up = give_up_capabilities(launch.has_value()); !given_up) {
		return given_up.error();
	}

	FollowEnd end;
	bool going_on = true;
	const auto write = [&](const Record &record) {
		if (going_on && !outputs.record(record)) {
			going_on = false;
			end.reader_gone = true;
		}
	};
	Programs programs(proc);
	Children children(proc);
	Resolver resolver(proc, programs, children);
	Looker looker(collector, proc, programs, resolver, settings.stack_bytes);
	// Until the session record is out, the others wait.
	std::vector<Record> early;
	bool begun = false;
	Stalls stalls(
	    {settings.threshold_ns, settings.hang_after_ns, {settings.tids.begin(), settings.tids.end()}, settings.children},
	    collector, proc, programs, children, resolver, looker,
	    [&](const Record &record) { begun ? write(record) : early.push_back(record); });
	EventQueue events(collector);
	// All there is by now; in the course of a session, up to the next tick: a storm of stalls keeps no hang from being told.
	const auto drain = [&](std::uint64_t until_ns = ~0ULL) {
		constexpr std::size_t between_looks = 16;
		for (std::size_t left = events.fetch(); left > 0; left--) {
			auto event = events.next();
			if (!event) {
				break;
			}
			if (const auto *candidate = std::get_if<Candidate>(&*event); candidate != nullptr && discovery) {
				discovery->on(*candidate);
			}
			stalls.handle(std::move(*event));
			if (left % between_looks == 0 && monotonic_ns() >= until_ns) {
				break;
			}
		}
	};
	// Begins to follow what was found meanwhile.
	const auto take_up = [&] {
		auto found = discovery->take(collector, monotonic_ns(), [&](std::uint32_t pid) { return stalls.follows(pid); });
		for (const collector::FollowRequest &request : found) {
			stalls.expect(request.pid, Stalls::Asked::found);
		}
		collector.follow_all(found);
		drain();
		return found;
	};
	const auto look_at = [&](const std::vector<collector::FollowRequest> &found) {
		for (const collector::FollowRequest &request : found) {
			stalls.forget_unseen(request.pid);
			stalls.first_look(request.pid);
		}
	};

	SessionStart start = session_start(settings, collector);
	start.start_ns = monotonic_ns();
	start.started_at = rfc3339_utc(realtime_ns());
	for (const collector::FollowRequest &request : *requests) {
		stalls.expect(request.pid, Stalls::Asked::by_name);
		if (auto followed = collector.follow(request); !followed) {
			return followed.error();
		}
	}
	drain();
	for (const collector::FollowRequest &request : *requests) {
		stalls.first_glance(request.pid);
	}
	drain();
	std::vector<collector::FollowRequest> found;
	// Until there are no more: they may fork before they are followed. Those that a followed one forks are followed already.
	for (;;) {
		auto below = descendants_of(*requests, proc);
		std::erase_if(below, [&](const collector::FollowRequest &request) { return stalls.follows(request.pid); });
		if (below.empty()) {
			break;
		}
		for (const collector::FollowRequest &request : below) {
			stalls.expect(request.pid, Stalls::Asked::found);
		}
		collector.follow_all(below);
		drain();
		std::ranges::move(below, std::back_inserter(found));
	}
	if (discovery) {
		std::ranges::move(take_up(), std::back_inserter(found));
	}
	stalls.prepare();
	write(start);
	begun = true;
	for (const Record &record : early) {
		write(record);
	}
	if (launch) {
		if (auto gone = launch->go(); !gone) {
			return gone.error();
		}
	}
	drain();
	for (const collector::FollowRequest &request : *requests) {
		if (!launch) {
			stalls.first_look(request.pid);
		}
	}
	look_at(found);
	const auto tick = [&] { stalls.tick(events.empty() ? Stalls::Handled::all : Stalls::Handled::some); };
	tick();

	LiveLook live(outputs.live, collector);
	StatusMeter meter;
	const std::uint64_t until = settings.duration_ns ? start.start_ns + *settings.duration_ns : ~0ULL;
	allow_late_wakeups(slack_ns);
	std::uint64_t next_tick = next_on_grid(monotonic_ns(), tick_ns);
	std::uint64_t next_status = monotonic_ns() + status_ns;
	bool interrupted = false;
	while (going_on) {
		const std::uint64_t now = monotonic_ns();
		if (now >= until) {
			break;
		}
		const std::uint64_t wake = events.empty() ? std::min({next_tick, until}) : now;
		std::array<pollfd, 2> fds{pollfd{signals->get(), POLLIN, 0}, pollfd{events.poll_fd(), POLLIN, 0}};
		const std::uint64_t pause_ns = wake > now ? wake - now : 0;
		const timespec pause{static_cast<time_t>(pause_ns / ns_per_s), static_cast<long>(pause_ns % ns_per_s)};
		(void)ppoll(fds.data(), fds.size(), &pause, nullptr);
		const Signals got = read_signals(signals->get());
		if (got.winch) {
			going_on = outputs.winch() && going_on;
		}
		drain(next_tick);
		if (monotonic_ns() >= next_tick) {
			if (discovery) {
				look_at(take_up());
			}
			tick();
			const std::uint64_t after = monotonic_ns();
			live.update(collector, after);
			next_tick = std::min(std::max(stalls.next_due_ns(), after + shortest_tick_ns), next_on_grid(after, tick_ns));
		}
		if (monotonic_ns() >= next_status) {
			next_status = monotonic_ns() + status_ns;
			if (!outputs.status(meter.read(stalls, programs, important_losses(collector.losses())))) {
				going_on = false;
				end.reader_gone = true;
			}
		}
		if (got.stop) {
			// The command got the Ctrl-C as well: its end is waited for, a second one is for loopsnoop alone.
			if (!launch || launch->status() || interrupted) {
				break;
			}
			if (got.forward != 0) {
				(void)kill(launch->pid(), got.forward);
			}
			interrupted = true;
		}
		if (!discovery && !stalls.any_process_left()) {
			break;
		}
	}
	drain();
	stalls.finish();
	drain();
	SessionSummary summary;
	summary.loops = stalls.end();
	summary.loops_left_out = stalls.loops_left_out();
	summary.lines = stalls.lines();
	if (settings.children) {
		summary.processes = stalls.processes();
		summary.restarts = analysis::find_restarts(summary.processes);
	}
	summary.lost = collector.losses();
	summary.lost.at(static_cast<std::size_t>(Loss::waits_dropped)) += stalls.dropped_waits();
	summary.duration_ns = monotonic_ns() - start.start_ns;
	write(summary);
	if (launch) {
		// Its last thread may be gone a moment before it can be reaped.
		for (int i = 0; i < 100 && !launch->status() && !stalls.any_process_left(); i++) {
			usleep(10'000);
		}
		end.command_status = launch->status();
	}
	end.stalls = stalls.stalls();
	return end;
}

} // namespace loopsnoop::session
