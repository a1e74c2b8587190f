// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "model/session.h"
#include "model/stall.h"

namespace loopsnoop::summary {

// How something ended, or why it is not known.

// What a record cannot say of a stall: "not over when loopsnoop stopped", "ended with the process"; empty: nothing.
[[nodiscard]] std::string_view format_truncation(Truncated truncated);

// "pid 812 was killed by SIGKILL" of `who` "pid 812". Printable, if that is.
[[nodiscard]] std::string format_exit(const ProcessExit &exit, std::string_view who);

} // namespace loopsnoop::summary
