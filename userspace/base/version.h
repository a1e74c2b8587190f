// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace loopsnoop {

// The version of CMakeLists.txt's project(): "0.1.0".
[[nodiscard]] std::string_view version();

} // namespace loopsnoop
