// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "cli/record_file.h"
#include "model/session.h"

namespace loopsnoop::cli {

// The summary, with what the file of -j has lost.
[[nodiscard]] SessionSummary with_unwritten(SessionSummary summary, std::uint64_t records);

// One record as a line of the file, made smaller where it is too large. Stalls alone may be left out when there are too many; the
// session's record is the first line of every file. False: nobody reads any more.
bool write_record(RecordFile &file, const Record &record, std::uint64_t now_ns);

} // namespace loopsnoop::cli
