// SPDX-License-Identifier: Apache-2.0
#include "session/session.h"

#include <sys/utsname.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "analysis/restarts.h"
#include "base/clock.h"
#include "base/scheduling.h"
#include "base/version.h"
#include "discovery/requests.h"
#include "foreign/access.h"
#include "runtimes/detect.h"
#include "session/signals.h"

namespace loopsnoop::session {

namespace {

constexpr std::uint64_t tick_ns = 50'000'000;
constexpr std::uint64_t slack_ns = 2'000'000; // what a tick may come late
constexpr std::uint64_t shortest_tick_ns = 5'000'000;
constexpr std::uint64_t status_ns = 1'000'000'000;

// All but the time, which is taken before the first thread is followed: no loop has a longer account than the session.
SessionStart session_start(const Settings &settings, const collector::Collector &collector, const process::ProcFs &proc) {
	SessionStart start;
	utsname names{};
	uname(&names);
	start.version = version();
	start.host = names.nodename;
	start.kernel = names.release;
	start.threshold_ns = settings.threshold_ns;
	start.argv = settings.argv;
	start.missing = collector.missing();
	for (const std::uint32_t pid : settings.pids) {
		if (auto why = runtimes::why_unreadable(proc, pid)) {
			start.missing.push_back(std::move(*why));
		}
	}
	start.discovery = settings.discovers();
	return start;
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

} // namespace

Session::Session(const Settings &settings, const Outputs &outputs, collector::Collector &collector, Prepared prepared)
    : settings_(settings), outputs_(outputs), collector_(collector), prepared_(std::move(prepared)),
      parts_(
          {
              settings_,
              collector_,
              prepared_.proc,
              [this](const Record &record) { begun_ ? write(record) : early_.push_back(record); },
              prepared_.clock,
          },
          settings_.stack_bytes),
      follower_(prepared_.requests, prepared_.discovery, parts_, [this] { drain(); }), events_(collector_) {}

void Session::write(const Record &record) {
	if (going_on_ && !outputs_.record(record)) {
		going_on_ = false;
		end_.reader_gone = true;
	}
}

// All there is by now; in the course of a session, up to the next tick: a storm of stalls keeps no hang from being reported.
void Session::drain(std::uint64_t until_ns) {
	constexpr std::size_t between_looks = 16;
	for (std::size_t left = events_.fetch(); left > 0; left--) {
		auto event = events_.next();
		if (!event) {
			break;
		}
		if (const auto *candidate = std::get_if<Candidate>(&*event)) {
			follower_.on(*candidate);
		}
		parts_.events.handle(std::move(*event));
		if (left % between_looks == 0 && now_ns() >= until_ns) {
			break;
		}
	}
}

void Session::tick() {
	parts_.tick.tick(events_.empty() ? SessionTick::Handled::all : SessionTick::Handled::some);
	if (parts_.standstills.tick() && outputs_.gauges) {
		outputs_.gauges(parts_.standstills.gauges());
	}
}

Result<void> Session::begin() {
	foreign::access().hurry_by(prepared_.signals.get());
	SessionStart start = session_start(settings_, collector_, prepared_.proc);
	start.missing.insert(start.missing.end(), prepared_.missing.begin(), prepared_.missing.end());
	start_ns_ = start.start_ns = now_ns();
	start.started_at = prepared_.clock.rfc3339(start_ns_);
	auto found = follower_.begin();
	if (!found) {
		return found.error();
	}
	parts_.tick.prepare();
	if (!follower_.discovers()) { // which finds them itself
		start.not_followed = discovery::not_followed(prepared_.requests, prepared_.proc);
	}
	start.workers = std::move(prepared_.workers);
	// Files and symbols take a while to read. A stall after the first word of the session is not to find us busy with them.
	drain();
	if (!prepared_.launch) {
		for (const collector::FollowRequest &request : prepared_.requests) {
			parts_.attach.inspect(request.pid);
		}
		parts_.tick.tick(SessionTick::Handled::some);
	}
	write(start);
	begun_ = true;
	for (const Record &record : std::exchange(early_, {})) {
		write(record);
	}
	if (prepared_.launch) {
		if (auto gone = prepared_.launch->go(); !gone) {
			return gone.error();
		}
	}
	drain();
	follower_.inspect(*found);
	tick();
	return {};
}

void Session::wait_until(std::uint64_t time_ns) {
	prepared_.clock.sleep(events_.empty() ? time_ns : 0, {prepared_.signals.get(), events_.poll_fd()});
}

// The collector's, and what was lost on this side.
LossCounts Session::losses() const {
	LossCounts lost = collector_.losses();
	lost.at(static_cast<std::size_t>(Loss::waits_dropped)) += parts_.loops.dropped_waits();
	lost.at(static_cast<std::size_t>(Loss::wait_cut)) += parts_.builder.waits_cut();
	lost.at(static_cast<std::size_t>(Loss::unanswered)) += foreign::access().questions_unanswered();
	lost.at(static_cast<std::size_t>(Loss::over_budget)) += parts_.facts.resolver.over_budget();
	for (const Pulse::Reading &thread : Pulse::read_all()) {
		lost.at(static_cast<std::size_t>(Loss::self_stalled)) += thread.times;
	}
	return lost;
}

void Session::report_status() {
	if (!outputs_.status(meter_.read(parts_, important_losses(losses())))) {
		going_on_ = false;
		end_.reader_gone = true;
	}
}

void Session::run() {
	live_.emplace(outputs_.live, collector_, prepared_.clock, [this] { return losses(); });
	const std::uint64_t until = settings_.duration_ns ? start_ns_ + *settings_.duration_ns : ~0ULL;
	allow_late_wakeups(slack_ns);
	std::uint64_t next_tick = next_on_grid(now_ns(), tick_ns);
	std::uint64_t next_status = now_ns() + status_ns;
	while (going_on_ && now_ns() < until) {
		pulse_.beat();
		wait_until(std::min(next_tick, until));
		Signals got = read_signals(prepared_.signals.get());
		if (got.hangup && outputs_.reopen && outputs_.reopen()) {
			got.stop = false;
		}
		if (got.winch) {
			going_on_ = outputs_.winch() && going_on_;
		}
		drain(next_tick);
		if (now_ns() >= next_tick) {
			follower_.go_on();
			tick();
			const std::uint64_t after = now_ns();
			live_->update(after);
			next_tick = std::min(std::max(parts_.tick.next_due_ns(), after + shortest_tick_ns), next_on_grid(after, tick_ns));
		}
		if (now_ns() >= next_status) {
			next_status = now_ns() + status_ns;
			report_status();
		}
		if (got.stop && command_.obey(got.forward) == CommandEnd::Next::end) {
			break;
		}
		if (command_.hangs() || (!follower_.discovers() && parts_.processes.size() == 0)) {
			break;
		}
	}
}

SessionSummary Session::summary() {
	SessionSummary summary;
	summary.loops = parts_.tick.end();
	summary.loops_left_out = parts_.loops.totals_left_out();
	summary.lines = parts_.totals.lines();
	if (settings_.children) {
		summary.processes = parts_.facts.history.all(now_ns());
		summary.restarts = analysis::find_restarts(summary.processes);
	}
	summary.standstills = parts_.standstills.reported();
	summary.waited_for = std::move(waited_for_);
	summary.grown = parts_.standstills.grown();
	for (const foreign::Unanswered &place : foreign::access().unanswered()) {
		summary.unanswered.push_back(place.sentence());
	}
	summary.lost = losses();
	summary.duration_ns = now_ns() - start_ns_;
	return summary;
}

FollowEnd Session::finish() {
	foreign::access().hurry_by(-1);
	foreign::access().hurry();
	drain();
	waited_for_ = parts_.standstills.waited_for();
	parts_.standstills.finish();
	parts_.tick.finish();
	drain();
	report_status(); // what kept us from seeing, of a session that was shorter than the time between two of them, too
	write(summary());
	end_.command_status = command_.status(parts_.processes.size() == 0);
	end_.stalls = parts_.totals.stalls();
	return end_;
}

} // namespace loopsnoop::session
