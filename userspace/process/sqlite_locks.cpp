// SPDX-License-Identifier: Apache-2.0
#include "process/sqlite_locks.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <map>
#include <string_view>

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
	constexpr int most = 1024;
	OpenFiles files;
	int looked_at = 0;
	const std::string folder = proc.path_of(pid, "fd");
	each_number(folder, [&](std::uint32_t fd) {
		const std::string link = folder + "/" + std::to_string(fd);
		const auto path = read_link(link);
		if (path && path->starts_with('/')) {
			if (const auto file = identify(link); file && S_ISREG(file->mode)) {
				files[file->inode] = {*path, file->device};
			}
		}
		return ++looked_at < most;
	});
	return files;
}

// File systems without a device of their own (btrfs) tell stat(2) another one than the lock's.
bool same_device(std::uint64_t device, std::uint64_t of_lock) { return device == of_lock || major(device) == 0; }

struct Locks {
	const OpenFile *by_others = nullptr; // locked by somebody else so that nobody may write
	std::uint32_t other = 0;
	const OpenFile *by_itself = nullptr;
	const OpenFile *read = nullptr; // read by somebody else, which who wants to write waits for without a write-ahead log
	std::uint32_t reader = 0;
};

void note(Locks &locks, const FileLockLine &lock, const OpenFile &file, std::uint32_t pid) {
	const bool shm = file.path.ends_with(shm_suffix);
	const std::uint64_t first = shm ? first_shm_byte : first_byte;
	if (lock.start < first || lock.start >= first + (shm ? shm_lock_bytes : lock_bytes)) {
		return;
	}
	const auto owner = static_cast<std::uint32_t>(lock.pid);
	if (owner == pid && lock.writes) {
		locks.by_itself = &file;
	} else if (owner != pid && lock.writes) {
		locks.by_others = &file;
		locks.other = owner;
	} else if (owner != pid && !shm) {
		locks.read = &file;
		locks.reader = owner;
	}
}

bool has_log(const OpenFiles &files, const OpenFile &database) {
	const std::string log = database.path + std::string(shm_suffix);
	return std::ranges::any_of(files, [&](const auto &one) { return one.second.path == log; });
}

LockedDatabase locked(const OpenFile &file, std::uint32_t holder) {
	LockedDatabase database{file.path, holder};
	if (database.path.ends_with(shm_suffix)) {
		database.path.resize(database.path.size() - shm_suffix.size());
	}
	return database;
}

} // namespace

std::optional<LockedDatabase> locked_database(const ProcFs &proc, std::uint32_t pid) {
	const OpenFiles files = open_files(proc, pid);
	Locks locks;
	each_line(proc.root() + "/locks", [&](std::string_view line) {
		const auto lock = parse_file_lock(line);
		if (lock && !lock->waits && lock->pid > 0) {
			const auto file = files.find(lock->inode);
			if (file != files.end() && same_device(file->second.device, lock->device)) {
				note(locks, *lock, file->second, pid);
			}
		}
		return true;
	});
	if (locks.by_others != nullptr) {
		return locked(*locks.by_others, locks.other);
	}
	if (locks.by_itself != nullptr && locks.by_itself == locks.read && !has_log(files, *locks.read)) {
		return locked(*locks.read, locks.reader);
	}
	return locks.by_itself != nullptr ? std::optional(locked(*locks.by_itself, pid)) : std::nullopt;
}

} // namespace loopsnoop::process
