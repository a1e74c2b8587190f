// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/stall.h"

namespace loopsnoop::analysis {

// What is around a stall; pure.

// What a process shows of whether it has served anybody yet, and is going to.
struct ServingSigns {
	std::vector<Listener> listening;
	bool accepted = false;       // a connection was made to it and taken: nothing is starting any more
	bool watched = false;        // an event queue of its watches network sockets
	bool will_serve = false;     // as ProcessShape has it
	bool from_beginning = false; // followed since before the program's first instruction
	std::uint64_t age_ns = 0;    // since it was forked
};

// It served before loopsnoop came, so its main thread is in a callback, or is not what serves.
[[nodiscard]] bool has_served(const ServingSigns &signs);

// Whether a stall is one of a process that is about to serve and has not served anybody yet. It listens on nothing, or
// connections wait that nobody has accepted; and it is in the middle of an import, or no loop of it was seen since it began. A
// process that was there before loopsnoop counts only while it is so young that a connection it had served would still show.
// nullopt: nothing is known of it.
[[nodiscard]] bool is_startup(const Stall &stall, const std::optional<ServingSigns> &signs);

// What the wait that explains the stall is for in the end: its own resource, or that of the last thread that it waits for over
// locks. nullptr: not known.
[[nodiscard]] const Resource *last_resource(const Stall &stall);

// The process at the other end of that; nullptr: none is known.
[[nodiscard]] const Peer *last_peer(const Stall &stall);

// Whether a stall is hundreds of page faults and little else: each puts the thread to sleep until the page has been read, and
// then makes it wait for a CPU, so that no single class of waiting may have most of the time.
[[nodiscard]] bool is_paging(const Stall &stall);

// The file whose pages took longest; nullptr: memory of no file, or not known.
[[nodiscard]] const FileResource *paged_file(const Stall &stall);

} // namespace loopsnoop::analysis
