// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace loopsnoop::cli {

// Written by hand so that it opens with commands; a test holds it against the options that are parsed.
[[nodiscard]] std::string follow_help(bool with_advanced);
[[nodiscard]] std::string report_help();
[[nodiscard]] std::string doctor_help();
[[nodiscard]] std::string dump_help();

} // namespace loopsnoop::cli
