// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace loopsnoop::stacks {

// A symbol as people write it: C++ and both of Rust's manglings ("_ZN…17h0123456789abcdefE", "_R…"), without Rust's hashes and
// without LLVM's suffix. Anything else (C, Go), and names whose demangled form might be huge, comes back as it is. The result is
// 2 KiB at most.
[[nodiscard]] std::string demangle(const std::string &name);

} // namespace loopsnoop::stacks
