// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <cerrno>
#include <system_error>
#include <utility>

namespace loopsnoop {

std::string Error::describe() const {
	std::string line = "cannot " + what;
	if (!on.empty()) {
		line += " (" + on + ")";
	}
	if (code != 0) {
		line += ": " + std::generic_category().message(code);
	}
	if (!advice.empty()) {
		line += "; " + advice;
	}
	return line;
}

Error errno_error(std::string what, std::string on, std::string advice) {
	return Error{std::move(what), std::move(on), errno, std::move(advice)};
}

Error make_error(std::string what, std::string on, std::string advice) {
	return Error{std::move(what), std::move(on), 0, std::move(advice)};
}

} // namespace loopsnoop
