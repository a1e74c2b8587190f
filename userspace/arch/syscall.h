// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace loopsnoop::arch {

struct Syscall {
	long number;
	std::string_view name;
};

} // namespace loopsnoop::arch
