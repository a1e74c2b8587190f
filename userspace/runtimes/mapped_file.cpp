// SPDX-License-Identifier: Apache-2.0
#include "runtimes/mapped_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <utility>

namespace loopsnoop::runtimes {

namespace {

// Opening anything but a regular file may wait or do something to a device: looked at first.
UniqueFd open_regular(const std::string &path) {
	struct stat status {};
	if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
		return {};
	}
	return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

} // namespace

std::optional<ElfImage> open_mapped(const process::ProcFs &proc, std::uint32_t pid, const process::Mapping &mapping) {
	if (!mapping.has_file()) {
		return std::nullopt;
	}
	UniqueFd file = open_regular(proc.map_files_path(pid, mapping)); // the very file, whatever its path leads to by now
	if (!file.valid()) {
		const auto exe = proc.exe(pid);
		if (exe && exe->path == mapping.path) {
			file = open_regular(proc.exe_path(pid));
		}
	}
	if (!file.valid() && !mapping.deleted) {
		if (auto opened = proc.open_file(pid, mapping.path)) {
			file = std::move(*opened);
		}
	}
	return ElfImage::open(std::move(file));
}

} // namespace loopsnoop::runtimes
