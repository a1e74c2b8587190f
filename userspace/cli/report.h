// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>

#include "cli/options.h"
#include "output/text.h"

namespace loopsnoop::cli {

// `loopsnoop report`: prints a recording on stdout as the live text would have been. Exit status 0, or 1 when the file cannot
// be read or holds no record; what could not be read is said on stderr.
[[nodiscard]] int run_report(const ReportOptions &options);

// What of the options is the text's: how much is shown, no status line when quiet.
[[nodiscard]] output::TextOptions text_options(output::TextOptions terminal, Verbosity verbosity);

} // namespace loopsnoop::cli
