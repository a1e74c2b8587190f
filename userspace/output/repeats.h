// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/stall.h"

namespace loopsnoop::output {

// Folds stalls that a reader has seen already: the first of a kind is to be shown in full, those after it are counted and shown
// as one line each `every_ns` of session time, those of all processes that people call the same as one. Bounded: the kind seen
// longest ago is forgotten first, and so shown anew.
class Repeats {
public:
	explicit Repeats(std::uint64_t every_ns) : every_ns_(every_ns) {}

	// True: the first of its kind (or forgotten since), to be shown. False: counted.
	[[nodiscard]] bool first_of_kind(const Stall &stall, std::uint64_t now_ns);

	// A stall that was shown whatever came before it (a hang).
	void shown(const Stall &stall, std::uint64_t now_ns);

	// One line for each kind whose time is over, without a newline; `all`: for each that has any.
	[[nodiscard]] std::vector<std::string> due(std::uint64_t now_ns, bool all = false);

	// Several processes are followed: a line says whose it is.
	void name_processes() { several_ = true; }

private:
	static constexpr std::size_t max_kinds = 1024;
	static constexpr std::size_t max_pids = 256; // kept apart of one kind

	struct Kind {
		std::string words;            // what it is, for the line
		std::string process;          // whose
		std::uint32_t pid = 0;        // the last one's
		std::set<std::uint32_t> pids; // of those counted
		std::uint64_t seen_ns = 0;
		std::uint64_t since_ns = 0; // start of the first counted one
		std::uint64_t count = 0;    // counted and not shown yet
		std::uint64_t shortest_ns = 0;
		std::uint64_t longest_ns = 0;
		std::uint64_t total_ns = 0;
	};

	[[nodiscard]] std::string line_of(const Kind &kind, std::uint64_t now_ns) const;
	// The kind of a stall, and whether it is new.
	std::pair<Kind &, bool> kind_of(const Stall &stall, std::uint64_t now_ns);
	void forget_oldest();

	std::uint64_t every_ns_;
	bool several_ = false;
	std::map<std::string, Kind> kinds_;
	std::vector<std::string> left_over_; // lines of kinds that were forgotten
	std::size_t pending_ = 0;            // kinds with a count: most calls of due() have nothing to do
};

} // namespace loopsnoop::output
