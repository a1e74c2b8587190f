// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace loopsnoop {

// What a process is called beside the kernel's name for it (comm). Empty: not known.
struct ProcessName {
	std::string command; // its arguments, joined and printable, 200 bytes at most
	std::string service; // what people call it: its unit, the script or module that its interpreter runs, its program's file
};

} // namespace loopsnoop
