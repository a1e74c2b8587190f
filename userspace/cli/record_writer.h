// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace loopsnoop::cli {

// Lines to a descriptor, each written whole as it comes. A reader that has gone is no error but the end.
class LineWriter {
public:
	// "-": stdout. A file is made anew, readable by its owner only, because stacks and paths of others' programs go into it.
	static Result<LineWriter> open(const std::string &path);
	static LineWriter on(int fd) { return {UniqueFd(), fd}; }

	// False: nobody reads any more, or it cannot be written (error() says).
	bool write(std::string_view text);
	[[nodiscard]] int fd() const { return fd_; }
	[[nodiscard]] const std::optional<Error> &error() const { return error_; }

private:
	LineWriter(UniqueFd owned, int fd) : owned_(std::move(owned)), fd_(fd) {}

	UniqueFd owned_;
	int fd_;
	std::string path_;
	std::optional<Error> error_;
};

} // namespace loopsnoop::cli
