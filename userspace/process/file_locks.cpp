// SPDX-License-Identifier: Apache-2.0
#include "process/file_locks.h"

#include <sys/sysmacros.h>

#include <algorithm>

#include "process/pseudo_file.h"
#include "process/text.h"

namespace loopsnoop::process {

std::optional<FileLockLine> parse_file_lock(std::string_view line) {
	Words words(line);
	FileLockLine lock;
	std::string_view number = words.next();
	if (!number.ends_with(':')) {
		return std::nullopt;
	}
	number.remove_suffix(1);
	const auto id = parse_number<std::uint64_t>(number);
	std::string_view kind = words.next();
	if (kind == "->") {
		lock.waits = true;
		kind = words.next();
	}
	const std::string_view access = words.skip_and_next(1); // ADVISORY before it
	const std::string_view pid = words.next();
	const bool nobody = pid == "-1";
	const auto owner = parse_number<std::uint32_t>(pid);
	const std::string_view file = words.next();
	const std::size_t colon = file.rfind(':');
	const auto inode = colon != std::string_view::npos ? parse_number<std::uint64_t>(file.substr(colon + 1)) : std::nullopt;
	const auto start = parse_number<std::uint64_t>(words.next());
	if (!id || kind.empty() || (!owner && !nobody) || !inode || !start) {
		return std::nullopt;
	}
	const std::size_t between = file.find(':');
	const auto major = parse_number<unsigned>(file.substr(0, between), 16);
	const auto minor = parse_number<unsigned>(file.substr(between + 1, colon - std::min(colon, between + 1)), 16);
	lock.device = major && minor ? makedev(*major, *minor) : 0;
	lock.writes = access == "WRITE";
	lock.start = *start;
	lock.number = *id;
	lock.pid = nobody ? -1 : static_cast<std::int64_t>(*owner);
	lock.inode = *inode;
	return lock;
}

std::optional<std::uint32_t> file_lock_holder(const ProcFs &proc, std::uint32_t pid, std::uint64_t inode) {
	std::optional<std::uint32_t> holder;
	FileLockLine held;
	each_line(proc.root() + "/locks", [&](std::string_view line) {
		const auto lock = parse_file_lock(line);
		if (!lock) {
			return true;
		}
		if (!lock->waits) {
			held = *lock;
			return true;
		}
		const bool wanted = lock->pid == pid && (inode == 0 || lock->inode == inode) && lock->number == held.number;
		if (wanted && held.pid > 0) {
			holder = static_cast<std::uint32_t>(held.pid);
		}
		return !wanted;
	});
	return holder;
}

} // namespace loopsnoop::process
