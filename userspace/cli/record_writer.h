// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"

namespace loopsnoop::cli {

// Lines to a descriptor, each written whole as it comes. A reader that has gone is no error but the end.
class LineWriter {
public:
	static LineWriter on(int fd) { return LineWriter(fd); }

	// False: nobody reads any more, or it cannot be written (error() says).
	bool write(std::string_view text);
	[[nodiscard]] int fd() const { return fd_; }
	[[nodiscard]] const std::optional<Error> &error() const { return error_; }

private:
	explicit LineWriter(int fd) : fd_(fd) {}

	int fd_;
	std::optional<Error> error_;
};

} // namespace loopsnoop::cli
