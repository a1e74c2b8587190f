// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/options.h"

namespace loopsnoop::cli {

// `loopsnoop -p PID` and `loopsnoop -- COMMAND`: text on stdout (on stderr when JSON goes to stdout), JSON Lines where asked.
// Returns the exit status of the contract; what could not be done is one line on stderr.
[[nodiscard]] int run_follow(const Settings &settings);

} // namespace loopsnoop::cli
