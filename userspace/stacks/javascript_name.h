// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "model/stack.h"

namespace loopsnoop::stacks {

// What V8 calls a compiled JavaScript function in a perf map ("JS:*work /srv/app.js:10:3", older: "LazyCompile:~work …"). The
// line is the one where the function begins, not the one that runs. nullopt: something else (a stub, a builtin, a regular
// expression).
[[nodiscard]] std::optional<SourceFrame> javascript_frame(std::string_view perf_map_name);

} // namespace loopsnoop::stacks
