// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>

#include "model/session.h"

namespace loopsnoop::output {

// Bytes of a record's line. Names come from the targets: fifty threads with a hundred frames of 4,000 control characters each
// would make a line of 138 MB.
inline constexpr std::size_t max_record_bytes = std::size_t{1} << 20;
// Threads of a stall, a standstill or a dump that are reported, the first ones; and bytes of a name or a path.
inline constexpr std::size_t max_threads = 256;
inline constexpr std::size_t max_text_bytes = 4096;

// A dump is asked for by a person, once: all threads of a large process are in it, as long as `report` would still read the line.
inline constexpr std::size_t max_dump_bytes = std::size_t{7} << 20;
inline constexpr std::size_t max_dump_threads = 4096;

// The record within these limits, with `left_out` saying what it is without; null: it is within them as it is.
[[nodiscard]] std::optional<Record> limited(const Record &record);

} // namespace loopsnoop::output
