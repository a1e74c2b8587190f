// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/tasks.h"

namespace loopsnoop::output {

// The record `tasks` (tasks_fields.h): a JSON object on one line, without the newline at its end. Valid UTF-8 whatever the
// strings of the target hold. `loopsnoop report` passes over it.
[[nodiscard]] std::string to_json_line(const TaskSnapshot &snapshot);

} // namespace loopsnoop::output
