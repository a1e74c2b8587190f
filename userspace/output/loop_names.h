// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/escape.h"
#include "model/session.h"
#include "summary/process.h"

namespace loopsnoop::output {

// Which loops a session has: where there are several, a headline says whose it is. Bounded. One thread.
class LoopNames {
public:
	// False: all loops so far are one process's.
	bool add(const LoopFound &loop);
	void forget(std::uint32_t pid);
	// A host is watched as a whole, however many loops it has.
	void whole_host() { whole_host_ = true; }
	// What people call a process that has a loop.
	[[nodiscard]] std::optional<std::string> of_process(std::uint32_t pid) const;

	// Of a Stall or a Standstill: "shop (pid 812) ", of one process's loops "thread worker-1 (tid 820) "; empty where there is
	// one loop. A thread that is called as its process goes by its number.
	template <typename Of> [[nodiscard]] std::string whose(const Of &of) const {
		if (loops_.size() < 2 && !whole_host_) {
			return {};
		}
		const std::string name = summary::format_process(of.name, of.comm);
		const bool named = of.thread != of.comm && of.thread != name;
		if (loops_.begin()->first.first == std::prev(loops_.end())->first.first && !whole_host_) {
			return of.tid == of.pid ? "main thread "
			       : named          ? fmt::format("thread {} (tid {}) ", printable(of.thread), of.tid)
			                        : fmt::format("thread {} ", of.tid);
		}
		const std::string thread = of.tid == of.pid ? ""
		                           : named          ? fmt::format(", thread {} tid {}", printable(of.thread), of.tid)
		                                            : fmt::format(", tid {}", of.tid);
		return fmt::format("{} (pid {}{}) ", name, of.pid, thread);
	}

private:
	static constexpr std::size_t max_loops = 4096;

	std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> loops_; // pid, tid: the process's name
	bool whole_host_ = false;
};

} // namespace loopsnoop::output
