// SPDX-License-Identifier: Apache-2.0
#include "process/mapping.h"

#include <algorithm>
#include <optional>

#include "process/deleted_path.h"
#include "process/text.h"

namespace loopsnoop::process {

namespace {

// fs/proc/task_mmu.c escapes the newline of a path and nothing else, the backslash neither: any other escape is part of
// the name.
std::string unescape_newlines(std::string_view path) {
	constexpr std::string_view escape = "\\012";
	std::string plain;
	plain.reserve(path.size());
	for (std::size_t at = path.find(escape); at != std::string_view::npos; at = path.find(escape)) {
		plain.append(path.substr(0, at)).push_back('\n');
		path.remove_prefix(at + escape.size());
	}
	return plain.append(path);
}

// "START-END PERMS OFFSET MAJOR:MINOR INODE   PATH"
std::optional<Mapping> parse_mapping(std::string_view line) {
	Words words(line);
	const std::string_view range = words.next();
	const std::string_view perms = words.next();
	const auto offset = parse_number<std::uint64_t>(words.next(), 16);
	const std::string_view device = words.next();
	const auto inode = parse_number<std::uint64_t>(words.next());
	const std::size_t dash = range.find('-');
	const std::size_t colon = device.find(':');
	if (dash == std::string_view::npos || colon == std::string_view::npos || perms.size() != 4 || !offset || !inode) {
		return std::nullopt;
	}
	const auto start = parse_number<std::uint64_t>(range.substr(0, dash), 16);
	const auto end = parse_number<std::uint64_t>(range.substr(dash + 1), 16);
	const auto major = parse_number<std::uint32_t>(device.substr(0, colon), 16);
	const auto minor = parse_number<std::uint32_t>(device.substr(colon + 1), 16);
	if (!start || !end || *end <= *start || !major || !minor) {
		return std::nullopt;
	}
	Mapping mapping;
	mapping.start = *start;
	mapping.end = *end;
	mapping.offset = *offset;
	mapping.readable = perms[0] == 'r';
	mapping.writable = perms[1] == 'w';
	mapping.executable = perms[2] == 'x';
	mapping.shared = perms[3] == 's';
	mapping.device_major = *major;
	mapping.device_minor = *minor;
	mapping.inode = *inode;
	std::string_view path = words.rest();
	path.remove_prefix(std::min(path.find_first_not_of(' '), path.size()));
	if (path.ends_with(deleted_suffix)) {
		mapping.deleted = true;
		path.remove_suffix(deleted_suffix.size());
	}
	mapping.path = unescape_newlines(path);
	return mapping;
}

} // namespace

std::vector<Mapping> parse_maps(std::string_view text) {
	std::vector<Mapping> mappings;
	while (const auto line = take_line(text)) {
		if (auto mapping = parse_mapping(*line)) {
			mappings.push_back(std::move(*mapping));
		}
	}
	return mappings;
}

} // namespace loopsnoop::process
