// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "foreign/bytes.h"
#include "model/descriptor.h"
#include "process/mapping.h"
#include "process/pseudo_file.h"
#include "process/status.h"

namespace loopsnoop::process {

struct ThreadEntry {
	std::uint32_t tid = 0;
	std::string name;
};

struct Executable {
	std::string path;     // as the target sees it, without " (deleted)"
	bool deleted = false; // unlinked or replaced since (a package upgrade): open it by ProcFs::exe_path
};

struct Cgroup {
	std::string controllers; // "cpu,cpuacct"; empty: the unified hierarchy (v2)
	std::string path;        // "/system.slice/x.service"
};

// What /proc knows about processes. Everything is read anew at each call and may be out of date when it returns; a process
// that is gone gives an Error, nullopt or an empty list. A pid is not checked against reuse: compare
// ProcessStatus::start_time_ticks where that matters. Holds nothing but the root: any thread may call, copies are cheap.
//
// Whatever may wait for a target is asked by way of foreign/: its files, what they are, its memory (cmdline), and its mmap lock
// (maps, cmdline), which it may hold for as long as a dead file system lets it wait. The rest of /proc waits for nobody.
class ProcFs {
public:
	explicit ProcFs(std::string root = "/proc") : root_(std::move(root)) {}

	[[nodiscard]] const std::string &root() const { return root_; }
	// "/proc/PID/NAME"
	[[nodiscard]] std::string path_of(std::uint32_t pid, std::string_view name) const;

	[[nodiscard]] std::vector<std::uint32_t> pids() const; // ascending
	[[nodiscard]] bool exists(std::uint32_t pid) const;
	[[nodiscard]] Result<ProcessStatus> status(std::uint32_t pid) const;
	// All of its threads, by the status it had: a main thread that has ended may leave others behind, which go on.
	[[nodiscard]] bool has_ended(std::uint32_t pid, const ProcessStatus &status) const;
	[[nodiscard]] std::vector<ThreadEntry> threads(std::uint32_t pid) const; // those that vanish meanwhile are left out
	[[nodiscard]] std::string comm(std::uint32_t pid) const;                 // empty: gone
	[[nodiscard]] std::string thread_name(std::uint32_t pid, std::uint32_t tid) const;
	[[nodiscard]] std::vector<std::uint32_t> children(std::uint32_t pid) const; // direct ones, ascending
	[[nodiscard]] std::optional<Executable> exe(std::uint32_t pid) const;       // nullopt: gone, not allowed, kernel thread
	// The path by which the process's program is known: the name beside its file's own that leads to that file and that the
	// process goes by (Debian's redis-server is a link to redis-check-rdb), or else the file's.
	[[nodiscard]] std::string known_path(std::uint32_t pid, const Executable &program) const;
	// The arguments, 256 KiB of them at most; empty ones at the end are dropped (programs pad a changed title with NULs).
	[[nodiscard]] std::vector<std::string> cmdline(std::uint32_t pid) const;
	// Empty: zombie or kernel thread. A reading that took 20 ms or more is used again for five times as long, unless
	// the process runs another program since then or maps more or less.
	[[nodiscard]] Result<std::vector<Mapping>> maps(std::uint32_t pid) const;

	// Files of the target, for foreign::access(): by the target's path, symbolic links resolved inside its root (a relative one
	// is below its working directory); the one that is mapped, deleted ones too; and the program that runs. A path that cannot be
	// completed is empty.
	[[nodiscard]] foreign::FileName target_file(std::uint32_t pid, const std::string &path) const;
	[[nodiscard]] foreign::FileName mapped_file(std::uint32_t pid, const Mapping &mapping) const; // CAP_CHECKPOINT_RESTORE
	[[nodiscard]] foreign::FileName program_file(std::uint32_t pid) const;
	// A file of /proc/PID itself.
	[[nodiscard]] foreign::FileName own_file(std::uint32_t pid, std::string_view name) const;

	// What a link of /proc/PID leads to ("fd/7", "exe").
	[[nodiscard]] std::optional<FileIdentity> identify(std::uint32_t pid, std::string_view name) const;

	// Identity of a namespace ("net" "pid" "mnt" "user" …); nullopt: gone or not allowed.
	[[nodiscard]] std::optional<std::uint64_t> ns_inode(std::uint32_t pid, std::string_view kind) const;
	// nullopt when either is not known.
	[[nodiscard]] std::optional<bool> same_namespace(std::uint32_t pid, std::uint32_t other, std::string_view kind) const;
	[[nodiscard]] std::vector<Cgroup> cgroups(std::uint32_t pid) const;

	// Kernel function a sleeping thread waits in; nullopt: running, not allowed, or not shown by this kernel.
	[[nodiscard]] std::optional<std::string> wait_channel(std::uint32_t pid, std::uint32_t tid) const;
	[[nodiscard]] std::optional<SyscallState> syscall(std::uint32_t pid, std::uint32_t tid) const;

	// An open descriptor as it is now; sockets are searched for in the tables of the target's network namespace. A unix socket
	// without a name of its own gets the name of what it is connected to.
	// nullopt: not open, or the process is gone. `device` is st_dev as stat(2) gives it, 0 for sockets and pipes.
	[[nodiscard]] std::optional<DescriptorSnapshot> descriptor(std::uint32_t pid, int fd) const;
	// The descriptors that an epoll descriptor watches, ascending.
	[[nodiscard]] std::vector<int> epoll_targets(std::uint32_t pid, int epfd) const;

private:
	std::string root_;
};

} // namespace loopsnoop::process
