// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/session.h"

namespace loopsnoop::output {

// One record as shared/contract.md (schema 1) has it: a JSON object on one line, without the newline at its end. Valid UTF-8
// whatever the strings of the target hold (U+FFFD for what is none). Fields beyond the contract, all additive: session `missing`;
// the record `dump` (a look at every thread, not part of a session); stall `advice`, `no_loop_yet` and `goes_on`, only when set;
// wait `run_delay_ns` and `ongoing`; thread `moved`, only when true; stack `native_truncated`, only when true.
[[nodiscard]] std::string to_json_line(const Record &record);

} // namespace loopsnoop::output
