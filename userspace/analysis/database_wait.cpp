// SPDX-License-Identifier: Apache-2.0
#include "analysis/database_wait.h"

#include <algorithm>
#include <string_view>
#include <variant>

namespace loopsnoop::analysis {

namespace {

bool is_of_sqlite(const NativeFrame &frame) {
	if (frame.function && frame.function->starts_with("sqlite3")) {
		return true;
	}
	if (!frame.module) {
		return false;
	}
	// libsqlite3.so.0, _sqlite3.cpython-311-x86_64-linux-gnu.so, better_sqlite3.node
	const std::string_view path = *frame.module;
	return path.substr(path.rfind('/') + 1).find("sqlite") != std::string_view::npos;
}

} // namespace

bool sleeps_in_sqlite(const Stack &stack) {
	constexpr std::size_t near = 5; // clock_nanosleep, nanosleep, usleep, and it
	return std::any_of(stack.native.begin(),
	                   stack.native.begin() + static_cast<std::ptrdiff_t>(std::min(near, stack.native.size())), is_of_sqlite);
}

bool is_database_wait(const Wait &wait) {
	const auto *file = wait.resource ? std::get_if<FileResource>(&wait.resource->is) : nullptr;
	return wait.cause == Cause::sleep && file != nullptr && file->path;
}

} // namespace loopsnoop::analysis
