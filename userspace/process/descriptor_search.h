// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

#include "process/procfs.h"

namespace loopsnoop::process {

using SteadyTime = std::chrono::steady_clock::time_point;

// Which process has something open: goes through /proc/*/fd until the deadline, and remembers. Not thread-safe.
class DescriptorSearch {
public:
	DescriptorSearch(ProcFs procfs, std::size_t entries, std::chrono::nanoseconds miss_lifetime)
	    : procfs_(std::move(procfs)), entries_(entries), miss_lifetime_(miss_lifetime) {}

	// `link`: what the descriptor's link in /proc/PID/fd says.
	using Match = std::function<bool(std::uint32_t pid, std::uint32_t fd, const std::string &link)>;

	// The first process, other than `last` where there is one, with a descriptor that matches; of several that share it that
	// is the one with the lowest pid, most often the one that handed it down. A remembered one is read again before it is
	// given. `key` names what is searched for. nullopt: none, the time is over, or their descriptors may not be read.
	[[nodiscard]] std::optional<std::uint32_t> find(const std::string &key, std::uint32_t last, const Match &match,
	                                                SteadyTime deadline);

private:
	struct Found {
		std::uint32_t pid = 0; // 0: nobody
		std::uint32_t fd = 0;
		SteadyTime when;
	};
	[[nodiscard]] bool still_there(const Found &found, std::uint32_t last, const Match &match) const;
	[[nodiscard]] Found search(std::uint32_t last, const Match &match, SteadyTime deadline) const;
	[[nodiscard]] std::optional<std::uint32_t> search_process(std::uint32_t pid, const Match &match, SteadyTime deadline) const;

	ProcFs procfs_;
	std::size_t entries_;
	std::chrono::nanoseconds miss_lifetime_;
	std::unordered_map<std::string, Found> remembered_;
};

} // namespace loopsnoop::process
