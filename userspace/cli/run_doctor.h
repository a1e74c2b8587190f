// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/options.h"

namespace loopsnoop::cli {

// `loopsnoop doctor`: what this machine, and with -p this process, allows, and what to do about the rest. Exit status 1 when
// following would not work.
[[nodiscard]] int run_doctor(const DoctorOptions &options);

} // namespace loopsnoop::cli
