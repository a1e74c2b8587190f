// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/resource.h"
#include "model/stall.h"

namespace loopsnoop::inspect {

// What a loop was seen waiting for at a moment.
struct SeenResource {
	std::uint64_t seen_ns = 0;
	Resource resource;
};

// What was seen of the waits of one iteration while they went on, the latest 16: who holds a lock, or has the other end of a pipe
// or a connection, cannot be found any more when the wait is over.
class SeenResources {
public:
	// One that says nothing beyond what can be found later is not kept.
	void add(std::uint64_t iteration, SeenResource &&seen);
	// Completes the record of that iteration: the resources of the waits that were going on then.
	void recall(std::uint64_t iteration, Stall &stall) const;

private:
	std::uint64_t iteration_ = 0;
	std::vector<SeenResource> seen_;
};

// What the wait that goes on in this record waits for; nullopt: there is none.
[[nodiscard]] std::optional<SeenResource> resource_in(const Stall &stall, std::uint64_t seen_ns);

} // namespace loopsnoop::inspect
