// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "model/session.h"

namespace loopsnoop::output {

// Folds the loops that come on a host that is watched as a whole: a line now and then, by name, instead of one each.
class Newcomers {
public:
	void add(const LoopFound &loop);
	// The line that is due, without a newline; empty: none. The first comes after a second, later ones after ten.
	[[nodiscard]] std::string due(std::uint64_t now_ns, bool all = false);

private:
	static constexpr std::size_t max_names = 256; // kept apart
	static constexpr std::size_t max_named = 8;   // the others as a number

	std::map<std::string, std::size_t> names_; // not shown yet
	std::size_t loops_ = 0;
	std::uint64_t since_ns_ = 0;
	bool shown_ = false;
};

} // namespace loopsnoop::output
