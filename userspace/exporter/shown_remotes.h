// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/connections.h"

namespace loopsnoop::exporter {

// The remotes of one process that have a series each, in one direction. Who has one keeps it as long as it has connections,
// unless another has come to twice as many: which of a crowd of equals have most changes each time, and every change is a new
// series.
class ShownRemotes {
public:
	static constexpr std::size_t max_remotes = 5;

	// `busiest`: most first; `most`: so many at most. What was not known before may take the place of what has gone.
	void update(const std::vector<RemoteCount> &busiest, std::size_t most = max_remotes);
	[[nodiscard]] const std::vector<RemoteCount> &shown() const { return shown_; } // most first
	// Connections of all others, of `all`.
	[[nodiscard]] std::uint64_t others(std::uint64_t all) const;

private:
	std::vector<RemoteCount> shown_;
};

} // namespace loopsnoop::exporter
