// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/gil_holders.h"
#include "inspect/programs.h"
#include "model/event.h"
#include "process/procfs.h"

namespace loopsnoop::inspect {

// Who held the GIL while loops waited for it: what the kernel side saw of the holders gets its names as soon as it is heard of,
// because threads and code come and go. One thread.
class GilWatch {
public:
	GilWatch(process::ProcFs proc, Programs &programs) : proc_(std::move(proc)), programs_(programs) {}

	void on(const RawGilWait &wait);
	// Reads now who holds the main interpreter's GIL, for a wait that began at `since_ns` and has not ended: with a long switch
	// interval no event of it may have come yet, and what was seen as it began is long ago.
	void sample_holder(LoopKey key, std::uint32_t pid, std::uint32_t tid, std::uint64_t iteration, std::uint64_t since_ns,
	                   std::uint64_t now_ns);
	// Of that iteration of the loop, most samples first; empty: nothing was seen.
	[[nodiscard]] std::vector<GilHolding> holders(LoopKey key, std::uint64_t iteration) const;
	void forget(LoopKey key) { loops_.erase(key); }

private:
	struct Thread {
		std::uint32_t tid = 0;
		std::string name;
	};
	struct Loop {
		std::uint64_t iteration = 0;
		// Of the wait that began then, so much has been attributed by sampling who holds it.
		std::uint64_t attributed_since_ns = 0;
		std::uint64_t attributed_ns = 0;
		// By thread state and pthread_self(); of one iteration, as both are used again. nullopt: not known.
		std::map<std::pair<std::uint64_t, std::uint64_t>, std::optional<Thread>> threads;
		analysis::GilHolders holders;
	};

	// False: nothing is known of it.
	bool add(Loop &loop, const RawGilWait &wait, std::uint64_t waited_ns);
	[[nodiscard]] std::optional<Thread> thread_of(const RawGilWait &wait);

	process::ProcFs proc_;
	Programs &programs_;
	std::map<LoopKey, Loop> loops_;
};

} // namespace loopsnoop::inspect
