// SPDX-License-Identifier: Apache-2.0
#include "collector/pid_level.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/unique_fd.h"

namespace loopsnoop::collector {

std::uint32_t own_pid_level() {
	// NS_GET_PARENT fails with EPERM when the parent is not visible, so the level is counted only as far as we may see: a
	// process in a container does not know its own. The initial namespace has a fixed inode number (PROC_PID_INIT_INO).
	constexpr ino_t initial_pid_namespace = 0xEFFFFFFC;
	UniqueFd ns(open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
	std::uint32_t level = 0;
	while (ns.valid()) {
		struct stat status {};
		if (fstat(ns.get(), &status) != 0 || status.st_ino == initial_pid_namespace) {
			return level;
		}
		UniqueFd parent(ioctl(ns.get(), NS_GET_PARENT));
		if (!parent.valid()) {
			return level + 1;
		}
		ns = std::move(parent);
		level++;
	}
	return 0;
}

} // namespace loopsnoop::collector
