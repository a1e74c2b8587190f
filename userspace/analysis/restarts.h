// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "model/session.h"

namespace loopsnoop::analysis {

// Whether a file that was written is worth a word: no device, no compiled Python.
[[nodiscard]] bool is_notable_file(std::string_view path);

// Processes that were begun again and again: at least two of one parent and (numbers aside) one command that have ended. Pure.
[[nodiscard]] std::vector<Restarts> find_restarts(const std::vector<ProcessLife> &lives);

} // namespace loopsnoop::analysis
