// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "catch.h"
#include "fakes/fake_world.h"
#include "session/session.h"

// A whole session, from its first record to the summary. What happens is written down before it begins, with its moments; the
// clock stands still while the session works, and goes on to the next such moment, or to the one that the session wants to be
// woken at, whichever is earlier.
struct FakeRun : FakeWorld {
	loopsnoop::session::Prepared prepared;
	loopsnoop::session::Outputs outputs;
	std::vector<loopsnoop::output::Status> statuses;
	const std::uint64_t begin_ns = now;

	// A minute, unless it ends before that.
	explicit FakeRun(loopsnoop::Settings given = options()) : FakeWorld(std::move(given)) {
		constexpr std::uint64_t minute = 60 * s;
		settings.duration_ns = settings.duration_ns.value_or(minute);
		settings.pids = {server};
		outputs.record = [this](const loopsnoop::Record &record) {
			records.push_back(record);
			return true;
		};
		outputs.status = [this](const loopsnoop::output::Status &status) {
			statuses.push_back(status);
			return true;
		};
		outputs.winch = [] { return true; };
		prepared.proc = loopsnoop::process::ProcFs(tree.root());
		prepared.clock = clock();
		prepared.requests = {{server, settings.children, std::nullopt}};
		std::array<int, 2> ends{};
		REQUIRE(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
		prepared.signals = loopsnoop::UniqueFd(ends[0]);
		signals_ = loopsnoop::UniqueFd(ends[1]);
	}

	// `after_ns`: since the session began.
	void at(std::uint64_t after_ns, std::function<void()> what) { script_.emplace(begin_ns + after_ns, std::move(what)); }
	loopsnoop::session::FollowEnd run() {
		loopsnoop::session::Session session(settings, outputs, collector, std::move(prepared));
		REQUIRE(session.begin());
		session.run();
		return session.finish();
	}
	[[nodiscard]] std::uint64_t passed_ns() const { return now - begin_ns; }

	void event(loopsnoop::Event event) override { collector.queue.push_back(std::move(event)); }
	// As another process sends it, or the terminal.
	void signal(int number, bool by_process = true) const {
		signalfd_siginfo info{};
		info.ssi_signo = static_cast<std::uint32_t>(number);
		info.ssi_code = by_process ? SI_USER : SI_KERNEL;
		REQUIRE(write(signals_.get(), &info, sizeof info) == sizeof info);
	}

	// What kinds of records there are, in their order.
	[[nodiscard]] std::vector<std::string> kinds() const {
		constexpr std::array names{"session", "loop", "stall", "exit", "exec", "fork", "summary", "dump", "standstill", "tasks"};
		static_assert(names.size() == std::variant_size_v<loopsnoop::Record>);
		std::vector<std::string> found;
		for (const loopsnoop::Record &record : records) {
			found.emplace_back(names.at(record.index()));
		}
		return found;
	}
	[[nodiscard]] loopsnoop::SessionSummary summary() const {
		REQUIRE_FALSE(records.empty());
		REQUIRE(std::holds_alternative<loopsnoop::SessionSummary>(records.back()));
		return std::get<loopsnoop::SessionSummary>(records.back());
	}

protected:
	void sleep(std::uint64_t until_ns) override {
		const bool happens = !script_.empty() && script_.begin()->first <= until_ns;
		now = std::max(now, happens ? script_.begin()->first : until_ns);
		while (!script_.empty() && script_.begin()->first <= now) {
			const auto what = script_.extract(script_.begin());
			what.mapped()();
		}
	}

private:
	loopsnoop::UniqueFd signals_;
	std::multimap<std::uint64_t, std::function<void()>> script_;
};
