// SPDX-License-Identifier: Apache-2.0
#include "process/sqlite_locks.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include "process/file_locks.h"
#include "process/pseudo_file.h"

namespace loopsnoop::process {

namespace {

// PENDING_BYTE, and as many bytes as the pending, the reserved and the shared locks have from there.
constexpr std::uint64_t first_byte = 0x40000000;
constexpr std::uint64_t lock_bytes = 512;
// Of the shared memory's file, with a write-ahead log: to write, to checkpoint, to recover (UNIX_SHM_BASE).
constexpr std::uint64_t first_shm_byte = 120;
constexpr std::uint64_t shm_lock_bytes = 3;
constexpr std::string_view shm_suffix = "-shm";

struct OpenFile {
	std::string path;
	std::uint64_t device = 0;
};
using OpenFiles = std::map<std::uint64_t, OpenFile>; // by inode

OpenFiles open_files(const ProcFs &proc, std::uint32_t pid) {
	constexpr int max_examined = 1024;
	OpenFiles files;
	int examined = 0;
	const std::string folder = proc.path_of(pid, "fd");
	each_number(folder, [&](std::uint32_t fd) {
		const auto path = read_link(folder + "/" + std::to_string(fd));
		if (path && path->starts_with('/')) {
			if (const auto file = proc.identify(pid, fmt::format("fd/{}", fd)); file && S_ISREG(file->mode)) {
				files[file->inode] = {*path, file->device};
			}
		}
		return ++examined < max_examined;
	});
	return files;
}

// For a file system without a device of its own (btrfs), stat(2) gives another device than the lock has.
bool same_device(std::uint64_t device, std::uint64_t of_lock) { return device == of_lock || major(device) == 0; }

// What is locked of one database. 0: by nobody.
struct Locks {
	std::uint32_t writer = 0; // somebody else, so that nobody may write, or not even read
	std::uint32_t reader = 0; // somebody else, whom a writer waits for without a write-ahead log
	bool own = false;         // by the process itself, as a writer has it
};

void note(Locks &locks, const FileLockLine &lock, bool shm, std::uint32_t pid) {
	const std::uint64_t first = shm ? first_shm_byte : first_byte;
	if (lock.start < first || lock.start >= first + (shm ? shm_lock_bytes : lock_bytes)) {
		return;
	}
	const auto owner = static_cast<std::uint32_t>(lock.pid);
	if (owner == pid) {
		locks.own = locks.own || lock.writes;
	} else if (lock.writes) {
		locks.writer = owner;
	} else if (!shm) {
		locks.reader = owner;
	}
}

// With its log's shared memory, whose locks are the database's.
std::string database_of(const OpenFile &file) {
	return file.path.ends_with(shm_suffix) ? file.path.substr(0, file.path.size() - shm_suffix.size()) : file.path;
}

bool has_log(const OpenFiles &files, const std::string &database) {
	const std::string log = database + std::string(shm_suffix);
	return std::ranges::any_of(files, [&](const auto &one) { return one.second.path == log; });
}

} // namespace

std::optional<LockedDatabase> locked_database(const ProcFs &proc, std::uint32_t pid) {
	const OpenFiles files = open_files(proc, pid);
	std::map<std::string, Locks> databases;
	each_line(proc.root() + "/locks", [&](std::string_view line) {
		const auto lock = parse_file_lock(line);
		if (lock && !lock->waits && lock->pid > 0) {
			const auto file = files.find(lock->inode);
			if (file != files.end() && same_device(file->second.device, lock->device)) {
				note(databases[database_of(file->second)], *lock, file->second.path.ends_with(shm_suffix), pid);
			}
		}
		return true;
	});
	std::vector<LockedDatabase> by_others, by_itself;
	for (const auto &[path, locks] : databases) {
		if (locks.writer != 0) {
			by_others.push_back({path, locks.writer});
		} else if (locks.own && locks.reader != 0 && !has_log(files, path)) {
			by_others.push_back({path, locks.reader});
		} else if (locks.own) {
			by_itself.push_back({path, pid});
		}
	}
	// One that the process writes to itself may be about to be done; which one of several it is cannot be known.
	const auto &candidates = by_others.empty() ? by_itself : by_others;
	return candidates.size() == 1 ? std::optional(candidates.front()) : std::nullopt;
}

} // namespace loopsnoop::process
