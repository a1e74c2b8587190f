// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"

namespace loopsnoop::cli {

// The main job's command line, the program's name first. CLI11 throws on what it was not made for.
[[nodiscard]] Parsed parse_follow(std::vector<std::string> arguments);

} // namespace loopsnoop::cli
