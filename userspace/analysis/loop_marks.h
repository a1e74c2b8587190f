// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "model/stack.h"

namespace loopsnoop::analysis {

// Whether the stack says that its thread runs an event loop, whatever it does at the moment: a frame of it is the function in
// which a well-known loop goes round. How a loop is recognised that froze before anybody saw it poll. Native names are those that
// the libraries export, or that programs with symbols have.
[[nodiscard]] bool runs_event_loop(const Stack &stack);

// Whether the stack of a thread asleep in a poll call says that the loop itself made the call, not one of its callbacks: between
// the two lies nothing but the loop's library. Not known of loops whose code is in one file with their callbacks': false.
[[nodiscard]] bool polls_for_itself(const Stack &stack);

// Whether the stack of a thread in a loop says that the loop is one of the runtime itself, in which nothing of the application
// runs: that of Node's platform for delayed tasks (src/node_platform.cc, DelayedTaskScheduler). False where the file has no such
// names.
[[nodiscard]] bool is_the_runtimes_own(const Stack &stack);

// A thread that is an event loop by the name that its framework gives it, as the kernel has it (15 bytes; newer JVMs leave out
// the middle). For runtimes whose frames have no names: Netty's, Vert.x's, Reactor's and Undertow's threads.
[[nodiscard]] bool is_loop_thread(std::string_view thread);

} // namespace loopsnoop::analysis
