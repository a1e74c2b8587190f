// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace loopsnoop::process {

// What /proc puts behind the path of a file that is unlinked.
inline constexpr std::string_view deleted_suffix = " (deleted)";

} // namespace loopsnoop::process
