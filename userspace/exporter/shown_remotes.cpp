// SPDX-License-Identifier: Apache-2.0
#include "exporter/shown_remotes.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace loopsnoop::exporter {

void ShownRemotes::update(const std::vector<RemoteCount> &busiest, std::size_t most) {
	most = std::min(most, max_remotes);
	std::vector<RemoteCount> kept;
	std::vector<RemoteCount> others;
	for (const RemoteCount &one : busiest) {
		const bool was_shown = std::ranges::find(shown_, one.remote, &RemoteCount::remote) != shown_.end();
		(was_shown && kept.size() < most ? kept : others).push_back(one);
	}
	for (RemoteCount &other : others) {
		if (kept.size() < most) {
			kept.push_back(std::move(other));
			continue;
		}
		const auto least = std::ranges::min_element(kept, {}, &RemoteCount::count);
		if (least != kept.end() && other.count >= 2 * least->count) {
			*least = std::move(other);
		}
	}
	std::ranges::stable_sort(kept, std::greater(), &RemoteCount::count);
	shown_ = std::move(kept);
}

std::uint64_t ShownRemotes::others(std::uint64_t all) const {
	for (const RemoteCount &one : shown_) {
		all -= std::min(all, one.count);
	}
	return all;
}

} // namespace loopsnoop::exporter
