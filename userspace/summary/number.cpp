// SPDX-License-Identifier: Apache-2.0
#include "summary/number.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/duration.h"

namespace loopsnoop::summary {

std::string format_range(std::uint64_t min_ns, std::uint64_t max_ns) {
	const std::string min = format_duration(min_ns);
	std::string max = format_duration(max_ns);
	const std::size_t unit = min.find(' ');
	if (min == max) {
		return max;
	}
	// "50 ms" and "320 ms" share their unit; "3 min 05 s" has none to share.
	const bool shared = unit == min.rfind(' ') && max.find(' ') == max.rfind(' ') && max.ends_with(min.substr(unit));
	return fmt::format("{}–{}", shared ? min.substr(0, unit) : min, max);
}

std::string format_breakdown(const Breakdown &breakdown) {
	std::vector<std::size_t> order;
	for (std::size_t i = 0; i < cause_count; i++) {
		if (breakdown.at(i).ns > 0) {
			order.push_back(i);
		}
	}
	std::stable_sort(order.begin(), order.end(),
	                 [&](std::size_t a, std::size_t b) { return breakdown.at(a).ns > breakdown.at(b).ns; });
	std::string text;
	for (const std::size_t i : order) {
		text += fmt::format("{}{} {}", text.empty() ? "" : ", ", cause_texts.at(i).name, format_duration(breakdown.at(i).ns));
		if (breakdown.at(i).count > 1 && static_cast<Cause>(i) != Cause::cpu) {
			text += fmt::format(" ×{}", thousands(breakdown.at(i).count));
		}
	}
	return text;
}

std::string thousands(std::uint64_t number) {
	std::string text = std::to_string(number);
	for (std::size_t at = text.size(); at > 3; at -= 3) {
		text.insert(at - 3, 1, ',');
	}
	return text;
}

std::string percent(std::uint64_t part, std::uint64_t all) {
	if (all == 0) {
		return "-";
	}
	const double share = 100.0 * static_cast<double>(part) / static_cast<double>(all);
	return share < 9.95 ? fmt::format("{:.1f} %", share) : fmt::format("{:.0f} %", share);
}

std::string plural(std::uint64_t number, std::string_view noun) {
	return fmt::format("{} {}{}", thousands(number), noun, number == 1 ? "" : "s");
}

} // namespace loopsnoop::summary
