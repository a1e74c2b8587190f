// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace loopsnoop::process {

// Files and folders of /proc (and of fixture trees). All bounded, none throws but for want of memory.

// What the file holds, its first `max_bytes` at most. Error: cannot be opened, or nothing could be read.
[[nodiscard]] Result<std::string> read_pseudo_file(const std::string &path, std::size_t max_bytes);

// Calls `line` with each line (without newline) until it returns false; never holds more than one block, so that tables of
// a hundred thousand sockets cost no memory. Lines longer than 64 KiB are left out. False: cannot be opened.
bool each_line(const std::string &path, const std::function<bool(std::string_view)> &line);

[[nodiscard]] std::optional<std::string> read_link(const std::string &path);

// Entries of a folder whose names are numbers (pids, tids, descriptors), in the folder's order. False: cannot be opened.
bool each_number(const std::string &folder, const std::function<bool(std::uint32_t)> &number);

struct FileIdentity {
	std::uint32_t mode = 0; // st_mode
	std::uint64_t inode = 0;
	std::uint64_t device = 0; // st_dev, as stat(2) gives it
	std::uint32_t links = 0;
};
// Of files of ours, links followed. Those of a target: ProcFs::identify.
[[nodiscard]] std::optional<FileIdentity> identify(const std::string &path);

} // namespace loopsnoop::process
