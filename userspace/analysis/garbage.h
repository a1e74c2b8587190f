// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "model/stall.h"

namespace loopsnoop::analysis {

// The part of a stall's CPU samples that were in a garbage collector, by the native functions on their stacks: CPython's
// (Modules/gcmodule.c up to 3.12, Python/gc.c since: gc_collect_main and its like) and V8's (Heap::CollectGarbage and below).
// nullopt: none was, or the interpreter's file holds no names of its inner functions, as Debian's python3 does not. Pure.
[[nodiscard]] std::optional<GcPart> garbage_collection(const std::vector<CpuPart> &cpu);

// Adds that to what was seen of a collection in the interpreter's memory (inspect/python_samples.h), if anything was: the longer
// of both counts. To be called any number of times.
void add_garbage(Stall &stall);

// The stacks are of V8.
[[nodiscard]] bool is_of_v8(const Stall &stall);

// How long the thread was in a garbage collector, waits for the collector's own helper threads included.
[[nodiscard]] std::uint64_t collecting_ns(const Stall &stall);

} // namespace loopsnoop::analysis
