// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/session.h"

namespace loopsnoop::output {

// One record as the schema (output/record.schema.json) has it: a JSON object on one line, without the newline at its end. Valid
// UTF-8 whatever the strings of the target hold (U+FFFD for what is none).
[[nodiscard]] std::string to_json_line(const Record &record);

// Reads one line of a recording back. Files of older and newer versions are read: fields that are not known are passed over,
// fields that came later keep their default, a cause that is not known is `other`. nullopt: a record of a type that is not known.
// An error says what is wrong and where ("stall.waits[2].pid"). Never throws, whatever the line holds.
[[nodiscard]] Result<std::optional<Record>> parse_json_line(std::string_view line);

} // namespace loopsnoop::output
