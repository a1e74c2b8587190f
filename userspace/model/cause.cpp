// SPDX-License-Identifier: Apache-2.0
#include "model/cause.h"

namespace loopsnoop {

std::optional<Cause> cause_named(std::string_view name) {
	for (std::size_t i = 0; i < cause_count; i++) {
		if (cause_texts.at(i).name == name) {
			return static_cast<Cause>(i);
		}
	}
	return std::nullopt;
}

Cause dominant_cause(const Breakdown &breakdown) {
	Cause best = Cause::other;
	std::uint64_t largest = 0;
	for (std::size_t i = 0; i < cause_count; i++) {
		if (breakdown.at(i).ns > largest) {
			largest = breakdown.at(i).ns;
			best = static_cast<Cause>(i);
		}
	}
	return best;
}

} // namespace loopsnoop
