// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
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

	// Of a Stall or a Standstill: "shop (pid 812) "; empty where there is one loop.
	template <typename Of> [[nodiscard]] std::string whose(const Of &of) const {
		if (loops_.size() < 2 && !whole_host_) {
			return {};
		}
		const std::string thread =
		    of.tid != of.pid ? fmt::format(", thread {} tid {}", printable(of.thread), of.tid) : std::string();
		return fmt::format("{} (pid {}{}) ", summary::format_process(of.name, of.comm), of.pid, thread);
	}

private:
	static constexpr std::size_t max_loops = 4096;

	std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> loops_; // pid, tid: the process's name
	bool whole_host_ = false;
};

} // namespace loopsnoop::output
