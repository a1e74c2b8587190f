// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "model/stall.h"

namespace loopsnoop::analysis {

// The part of a stall's CPU samples that were in a garbage collector, told by the native functions on their stacks: CPython's
// (Modules/gcmodule.c up to 3.12, Python/gc.c since: gc_collect_main and its like) and V8's (Heap::CollectGarbage and below).
// nullopt: none was, or the interpreter's file holds no names of its inner functions, as Debian's python3 does not. Pure.
[[nodiscard]] std::optional<GcPart> garbage_collection(const std::vector<CpuPart> &cpu);

} // namespace loopsnoop::analysis
