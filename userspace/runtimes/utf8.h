// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace loopsnoop::runtimes {

// What is no character (a surrogate that stands alone, a number beyond U+10FFFF) becomes U+FFFD.
void append_utf8(std::string &text, std::uint32_t c);

} // namespace loopsnoop::runtimes
