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

// Serves the metrics at http://HOST:PORT/metrics, and at / a page for people that says the same, with threads of its own, from
// `start` until it is destroyed. Its functions may be called from any thread; scrapes never wait for the profiling, and it never
// waits for a scrape longer than one takes to count.
class Exporter {
public:
	// Listens. The Error (port taken, address not ours) is one line for a person.
	[[nodiscard]] static Result<std::unique_ptr<Exporter>> start(const std::string &host, std::uint16_t port, std::string version,
	                                                             std::uint64_t threshold_ns);
	virtual ~Exporter() = default;
	Exporter(const Exporter &) = delete;
	Exporter &operator=(const Exporter &) = delete;
	Exporter(Exporter &&) = delete;
	Exporter &operator=(Exporter &&) = delete;

	virtual void write(const Record &record) = 0;
	// Where the tables are read when a scrape comes; empty: nowhere (any more). Returns when no scrape uses the old one.
	virtual void read_from(std::function<Tables()> tables) = 0;

protected:
	Exporter() = default;
};

} // namespace loopsnoop::exporter
