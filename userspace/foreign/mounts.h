// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loopsnoop::foreign {

// A line of /proc/PID/mountinfo (proc(5)).
struct Mount {
	std::uint32_t id = 0;
	std::uint64_t device = 0; // st_dev of what lies on it, but for file systems that make up others (btrfs, overlay)
	std::string point;        // as the process sees it
	std::string type;         // "nfs4" "fuse.sshfs"
	std::string source;       // "10.0.0.7:/export"; may be empty or "none"
};

[[nodiscard]] std::optional<Mount> parse_mount(std::string_view line);

// The mounts of a process, in the order in which they were made. Reading that file touches none of them. 4 MiB of it at most;
// empty: gone, or not allowed.
[[nodiscard]] std::vector<Mount> read_mounts(const std::string &mountinfo_path);

// The mount that a path is on, by its text alone: symbolic links may lead elsewhere. nullptr: none.
[[nodiscard]] const Mount *mount_of_path(const std::vector<Mount> &mounts, std::string_view path);
[[nodiscard]] const Mount *mount_of_device(const std::vector<Mount> &mounts, std::uint64_t device);

// Whether another machine or another process answers for it: such a file system may fall silent alone.
[[nodiscard]] bool needs_a_server(std::string_view type);

// The process that answers for a FUSE mount: who has the connection open (fdinfo of /dev/fuse names it since Linux 6.16, the
// connection's number is the minor number of the device). nullopt: not FUSE, an older kernel, or it is gone.
[[nodiscard]] std::optional<std::uint32_t> fuse_server(const Mount &mount);

// "nfs 10.0.0.7:/export", "fuse.sshfs host:/srv (mounted at /srv)"
[[nodiscard]] std::string describe(const Mount &mount);

} // namespace loopsnoop::foreign
