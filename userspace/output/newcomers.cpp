// SPDX-License-Identifier: Apache-2.0
#include "output/newcomers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "summary/number.h"
#include "summary/process.h"

namespace loopsnoop::output {

namespace {

constexpr std::uint64_t first_pause_ns = 1'000'000'000;
constexpr std::uint64_t pause_ns = 10'000'000'000;

} // namespace

void Newcomers::add(const LoopFound &loop) {
	if (loops_++ == 0) {
		since_ns_ = loop.start_ns;
	}
	std::string name = summary::format_process(loop.name, loop.comm);
	if (names_.size() < max_names || names_.contains(name)) {
		names_[std::move(name)]++;
	}
}

std::string Newcomers::due(std::uint64_t now_ns, bool all) {
	if (loops_ == 0 || (!all && now_ns < since_ns_ + (shown_ ? pause_ns : first_pause_ns))) {
		return {};
	}
	std::vector<std::pair<std::string, std::size_t>> order(names_.begin(), names_.end());
	std::stable_sort(order.begin(), order.end(), [](const auto &a, const auto &b) { return a.second > b.second; });
	std::string text = fmt::format("following {}: ", summary::plural(loops_, shown_ ? "more loop" : "loop"));
	std::size_t named = 0;
	for (std::size_t i = 0; i < std::min(order.size(), max_named); i++) {
		text += fmt::format("{}{}{}", i == 0 ? "" : ", ", order[i].first,
		                    order[i].second > 1 ? fmt::format(" ×{}", order[i].second) : "");
		named += order[i].second;
	}
	if (named < loops_) {
		text += fmt::format(", … {} of others", summary::thousands(loops_ - named));
	}
	names_.clear();
	loops_ = 0;
	shown_ = true;
	return text;
}

} // namespace loopsnoop::output
