// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "doctor/doctor.h"
#include "output/palette.h"

namespace loopsnoop::cli {

// A line a check and one that concludes: "ok", "warn" or "FAIL", what was found, what to do. Quiet: without what is well.
// Verbose: with the details.
[[nodiscard]] std::string doctor_text(const std::vector<doctor::Check> &checks, Verbosity verbosity,
                                      const output::Palette &palette);

} // namespace loopsnoop::cli
