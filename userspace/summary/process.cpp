// SPDX-License-Identifier: Apache-2.0
#include "summary/process.h"

#include "base/escape.h"

namespace loopsnoop::summary {

std::string format_process(const ProcessName &name, std::string_view comm) {
	if (name.service.empty()) {
		return printable(comm);
	}
	// A module by itself could be a script's name as well.
	const std::string_view module = std::string_view(name.service).substr(0, name.service.find(' '));
	const bool is_module = name.command.find(" -m " + std::string(module)) != std::string::npos;
	return (is_module ? "python -m " : "") + printable(name.service);
}

} // namespace loopsnoop::summary
