// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>
#include <span>

#include "process/memory.h"
#include "runtimes/cpython/offsets.h"
#include "runtimes/cpython/walk.h"

namespace loopsnoop::runtimes::cpython {

// Which of these objects (locks that are no class of Python's) a thread is in a `with` block of, or about to enter: as long as
// the block runs, what is to leave it lies on its frame's stack. Up to 3.13 that is the bound method __exit__ (BEFORE_WITH,
// SETUP_WITH in Python/ceval.c and bytecodes.c), since 3.14 the method and the object (LOAD_SPECIAL). Slots above the top of that
// stack keep what was there before: up to 3.13 that is recognised because a freed object has no reference count, since 3.14 by
// the top. The target goes on meanwhile: a hint, no proof.
[[nodiscard]] std::set<std::uint64_t> objects_in_with(const process::Memory &memory, const Offsets &offsets,
                                                      std::span<const PlacedFrame> frames,
                                                      const std::set<std::uint64_t> &objects);

} // namespace loopsnoop::runtimes::cpython
