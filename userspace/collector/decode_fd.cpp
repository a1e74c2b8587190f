// SPDX-License-Identifier: Apache-2.0
#include "collector/decode_fd.h"

#include <arpa/inet.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "process/deleted_path.h"
#include "process/syscall_names.h"

namespace loopsnoop::collector {

namespace {

DescriptorKind kind_of(const ls_fd &fd) {
	switch (fd.mode & S_IFMT) {
	case S_IFSOCK: return DescriptorKind::socket;
	case S_IFIFO: return DescriptorKind::pipe;
	case S_IFREG: return DescriptorKind::file;
	case S_IFDIR: return DescriptorKind::directory;
	case S_IFBLK: return DescriptorKind::block_device;
	case S_IFCHR: return DescriptorKind::character_device;
	default: return DescriptorKind::unknown;
	}
}

// The kernel side wrote the names from the file up to the root, each ended by NUL.
std::vector<std::string_view> components(const ls_fd &fd) {
	std::vector<std::string_view> names;
	std::string_view rest(fd.path, std::min<std::size_t>(fd.path_bytes, sizeof(fd.path)));
	while (!rest.empty()) {
		const std::size_t end = rest.find('\0');
		if (end == std::string_view::npos) {
			break;
		}
		names.push_back(rest.substr(0, end));
		rest.remove_prefix(end + 1);
	}
	return names;
}

void set_path(const ls_fd &fd, DescriptorSnapshot &out) {
	auto names = components(fd);
	// Files outside any mount carry their own name in brackets ("[eventfd]"), pipes none.
	if (names.size() == 1 && !names.front().empty() && names.front().front() == '[') {
		out.kind = DescriptorKind::anonymous;
		out.path = "anon_inode:" + std::string(names.front());
		return;
	}
	if (names.size() <= 1 && out.kind == DescriptorKind::pipe &&
	    (names.empty() || names.front().empty() || names.front() == "/")) {
		return;
	}
	if ((fd.flags & LS_FD_PATH_CUT) != 0) {
		return; // the inner part alone would be a wrong path
	}
	std::string path;
	std::reverse(names.begin(), names.end()); // the root first
	for (const std::string_view name : names) {
		if (name == "/" || name.empty()) {
			continue;
		}
		path += '/';
		path += name;
	}
	if (path.empty()) {
		path = "/";
	}
	if ((fd.flags & LS_FD_DELETED) != 0) {
		path += process::deleted_suffix;
	}
	out.path = std::move(path);
}

std::string address_text(std::uint16_t family, const __u8 (&bytes)[16], std::uint16_t port) {
	char text[INET6_ADDRSTRLEN] = {};
	constexpr std::array<__u8, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	if (family == AF_INET6 && std::equal(mapped.begin(), mapped.end(), std::begin(bytes))) {
		inet_ntop(AF_INET, &bytes[12], text, sizeof(text));
		return std::string(text) + ":" + std::to_string(port);
	}
	inet_ntop(family, bytes, text, sizeof(text));
	if (family == AF_INET6) {
		return "[" + std::string(text) + "]:" + std::to_string(port);
	}
	return std::string(text) + ":" + std::to_string(port);
}

void set_socket(const ls_fd &fd, DescriptorSnapshot &out) {
	out.family = fd.family;
	out.type = fd.type;
	out.protocol = fd.protocol;
	out.state = fd.state;
	if (fd.family == AF_INET || fd.family == AF_INET6) {
		out.local = address_text(fd.family, fd.local, fd.local_port);
		if (fd.remote_port != 0) {
			out.remote = address_text(fd.family, fd.remote, fd.remote_port);
		}
		return;
	}
	if (fd.family == AF_UNIX) {
		std::string path(fd.path, std::min<std::size_t>(fd.path_bytes, sizeof(fd.path)));
		if (!path.empty() && path.front() == '\0') {
			path.front() = '@';
		} else {
			path.resize(std::min(path.size(), path.find('\0')));
		}
		if (!path.empty()) {
			out.unix_path = std::move(path);
		}
		out.unix_peer_pid = fd.unix_peer_pid;
		out.unix_peer_inode = fd.unix_peer_inode;
	}
}

} // namespace

DescriptorSnapshot decode_fd(const ls_fd &fd) {
	DescriptorSnapshot out;
	out.fd = fd.fd;
	if ((fd.flags & LS_FD_MISSING) != 0) {
		return out;
	}
	out.kind = kind_of(fd);
	out.inode = fd.inode;
	out.device = gnu_dev_makedev(fd.device >> 20, fd.device & 0xfffff);
	out.writable_end = (fd.flags & LS_FD_WRITABLE) != 0;
	if (out.kind == DescriptorKind::socket) {
		set_socket(fd, out);
	} else {
		set_path(fd, out);
	}
	return out;
}

std::optional<std::uint32_t> child_of_call(std::int32_t syscall, std::uint64_t arg0, std::uint64_t arg1) {
	const auto name = process::syscall_name(syscall);
	if (name == "wait4" && static_cast<std::int32_t>(arg0) > 0) {
		return static_cast<std::uint32_t>(arg0);
	}
	if (name == "waitid" && arg0 == P_PID) {
		return static_cast<std::uint32_t>(arg1);
	}
	return std::nullopt;
}

} // namespace loopsnoop::collector
