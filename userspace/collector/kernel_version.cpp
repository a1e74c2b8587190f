// SPDX-License-Identifier: Apache-2.0
#include "collector/kernel_version.h"

#include <sys/utsname.h>

#include <charconv>
#include <system_error>

namespace loopsnoop::collector {

std::optional<KernelVersion> kernel_version(std::string_view release) {
	KernelVersion version;
	const char *const end = release.data() + release.size();
	const auto major = std::from_chars(release.data(), end, version.major);
	if (major.ec != std::errc{} || major.ptr == end || *major.ptr != '.') {
		return std::nullopt;
	}
	return std::from_chars(major.ptr + 1, end, version.minor).ec == std::errc{} ? std::optional(version) : std::nullopt;
}

std::string running_kernel() {
	utsname names{};
	uname(&names);
	return static_cast<const char *>(names.release);
}

} // namespace loopsnoop::collector
