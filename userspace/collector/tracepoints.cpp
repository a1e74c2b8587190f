// SPDX-License-Identifier: Apache-2.0
#include "collector/tracepoints.h"

#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>

#include "base/unique_fd.h"

namespace loopsnoop::collector {

namespace {

constexpr std::array mount_points{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
constexpr const char *by_hand = "mount it by hand: mount -t tracefs tracefs /sys/kernel/tracing";

bool has_events(const std::string &root) { return access((root + "/events/syscalls").c_str(), R_OK) == 0; }

// A mount of our own that is attached nowhere: nobody else sees it, and it goes with its descriptor.
Result<TracepointIds> read_from_detached_mount(const std::vector<std::string> &names) {
	const UniqueFd context(fsopen("tracefs", FSOPEN_CLOEXEC));
	if (!context.valid()) {
		return errno_error("open a tracefs", {}, "run as root");
	}
	if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
		return errno_error("make a tracefs", {}, by_hand);
	}
	const UniqueFd mounted(fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
	if (!mounted.valid()) {
		return errno_error("mount a tracefs", {}, by_hand);
	}
	return tracepoint_ids_in("/proc/self/fd/" + std::to_string(mounted.get()), names);
}

} // namespace

// A tracepoint that this kernel does not have is left out; one that may not be read is an error, which a mount cannot mend.
Result<TracepointIds> tracepoint_ids_in(const std::string &root, const std::vector<std::string> &names) {
	TracepointIds ids;
	for (const std::string &name : names) {
		std::string path = root;
		path.append("/events/").append(name).append("/id");
		std::ifstream file(path);
		if (!file.is_open() && errno != ENOENT) {
			return errno_error("read the tracepoints", path, "run as root, with CAP_DAC_READ_SEARCH");
		}
		int id = 0;
		if (file >> id && id > 0) {
			ids.emplace(name, id);
		}
	}
	return ids;
}

Result<TracepointIds> tracepoint_ids(const std::vector<std::string> &names) {
	for (const char *root : mount_points) {
		if (has_events(root)) {
			return tracepoint_ids_in(root, names);
		}
	}
	return read_from_detached_mount(names);
}

} // namespace loopsnoop::collector
