// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/event.h"
#include "model/loss.h"
#include "model/session.h"

namespace loopsnoop::exporter {

// The kernel's tables at one moment.
struct Tables {
	std::uint64_t now_ns = 0; // CLOCK_MONOTONIC
	std::vector<LoopState> loops;
	LossCounts lost{};
};

struct ExporterSettings {
	std::string host; // an address of this machine; IPv6 without brackets
	std::uint16_t port = 0;
	std::vector<std::string> names; // under which others reach it, beside addresses, localhost and this machine's own name
	std::string version;
	std::uint64_t threshold_ns = 0;
	std::uint64_t hang_after_ns = 0;
};

// Serves the metrics at http://HOST:PORT/metrics, at / a page for people that says the same, and at /healthz whether the session
// goes on, with a thread of its own, from `start` until it is destroyed. Its functions may be called from any thread; scrapes
// never wait for the profiling, and it never waits for a scrape longer than one takes to count.
class Exporter {
public:
	// A session that has not drained what the kernel recorded for so long is not healthy; it does so several times a second.
	static constexpr std::uint64_t healthy_ns = 5'000'000'000;

	// Listens. The Error (port taken, address not ours) is one line for a person.
	[[nodiscard]] static Result<std::unique_ptr<Exporter>> start(ExporterSettings settings);
	virtual ~Exporter() = default;
	Exporter(const Exporter &) = delete;
	Exporter &operator=(const Exporter &) = delete;
	Exporter(Exporter &&) = delete;
	Exporter &operator=(Exporter &&) = delete;

	virtual void write(const Record &record) = 0;
	virtual void write(std::vector<ProcessGauges> gauges) = 0;
	// The session has come round: everything that the kernel had recorded by `now_ns` (CLOCK_MONOTONIC) is written.
	virtual void drained(std::uint64_t now_ns) = 0;
	// Where the tables are read when a scrape comes; empty: nowhere (any more). Returns when no scrape uses the old one.
	virtual void read_from(std::function<Tables()> tables) = 0;
	[[nodiscard]] virtual std::uint16_t port() const = 0;

protected:
	Exporter() = default;
};

} // namespace loopsnoop::exporter
