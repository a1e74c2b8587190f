// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/event.h"
#include "model/stall.h"
#include "session/look.h"
#include "session/programs.h"

namespace loopsnoop::session {

// Puts the threads of one process together, after each was viewed by itself. `looks`: the look that the views were made from; the
// memory that they tell of was read after it.
//
// Tells who holds the GIL: in `holds_gil` of each, and as the holder of what the others wait for, where that is the GIL. Where
// there is none, or it changes hands meanwhile, nothing is told and `holds_gil` stays null.
// Looks a second time, and marks those as moved that have run since. Of those that have not, all that is told was so at once.
// Returns a deadlock as analysis::WaitGraph has it, asked for from `start`.
[[nodiscard]] std::optional<std::vector<std::uint32_t>> complete_views(Looker &looker, Programs &programs, std::uint32_t pid,
                                                                       std::span<const ThreadLook> looks,
                                                                       std::vector<ThreadView> &threads, std::uint32_t start);

// What the view of the stall's own thread knows of the lock that it waits for now, which its waits do not: who holds it, by its
// name. True when there was something.
bool complete_wait(Stall &stall, const ThreadView &own);

// A lock as it was seen at a moment of a stall: what it is, and who held it, if that could be told.
struct SeenLock {
	std::uint64_t seen_ns = 0;
	FutexResource lock;
};
// The locks that a loop was seen waiting for in one iteration, the latest 16: who holds a lock cannot be read after the wait.
class SeenLocks {
public:
	// One that says nothing but an address is not kept.
	void add(std::uint64_t iteration, SeenLock &&seen);
	// Puts what was seen into the record of that iteration, into the waits that were going on then.
	void recall(std::uint64_t iteration, Stall &stall) const;

private:
	std::uint64_t iteration_ = 0;
	std::vector<SeenLock> locks_;
};
// What the wait that goes on in this record says of its lock; nullopt: nothing.
[[nodiscard]] std::optional<SeenLock> lock_in(const Stall &stall, std::uint64_t seen_ns);

} // namespace loopsnoop::session
