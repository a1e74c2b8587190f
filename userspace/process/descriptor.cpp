// SPDX-License-Identifier: Apache-2.0
// The part of ProcFs that reads open descriptors.
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "process/open_mode.h"
#include "process/procfs.h"
#include "process/pseudo_file.h"
#include "process/socket_table.h"
#include "process/text.h"
#include "process/unix_diag.h"

namespace loopsnoop::process {

namespace {

DescriptorKind kind_of(std::uint32_t mode) {
	switch (mode & S_IFMT) {
	case S_IFREG: return DescriptorKind::file;
	case S_IFDIR: return DescriptorKind::directory;
	case S_IFBLK: return DescriptorKind::block_device;
	case S_IFCHR: return DescriptorKind::character_device;
	case S_IFIFO: return DescriptorKind::pipe;
	case S_IFSOCK: return DescriptorKind::socket;
	case 0: return DescriptorKind::anonymous;
	default: return DescriptorKind::unknown;
	}
}

struct InetTable {
	std::string_view name;
	std::string_view kernel_name; // struct proto's, what the attribute system.sockprotoname says
	std::uint16_t family;
	std::uint16_t type;
	std::uint16_t protocol; // raw: stands in the table's port column
};

constexpr std::array inet_tables{
    InetTable{"tcp", "TCP", AF_INET, SOCK_STREAM, IPPROTO_TCP},
    InetTable{"tcp6", "TCPv6", AF_INET6, SOCK_STREAM, IPPROTO_TCP},
    InetTable{"udp", "UDP", AF_INET, SOCK_DGRAM, IPPROTO_UDP},
    InetTable{"udp6", "UDPv6", AF_INET6, SOCK_DGRAM, IPPROTO_UDP},
    InetTable{"raw", "RAW", AF_INET, SOCK_RAW, 0},
    InetTable{"raw6", "RAWv6", AF_INET6, SOCK_RAW, 0},
    InetTable{"icmp", "PING", AF_INET, SOCK_DGRAM, IPPROTO_ICMP},
    InetTable{"icmp6", "PINGv6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6},
};

// Gives a socket's family without reading a table of perhaps 100,000 lines, and that of a TCP socket that is in no table as
// it was never bound. Empty: not known (fixtures, older kernels).
std::string socket_protocol_name(std::uint32_t pid, const std::string &path) {
	return foreign::access().socket_protocol(pid, path);
}

bool fill_inet(const std::string &table_path, const InetTable &table, DescriptorSnapshot &snapshot) {
	bool found = false;
	each_inet_socket(table_path, [&](const InetEntry &entry) {
		if (entry.inode != snapshot.inode) {
			return true;
		}
		found = true;
		snapshot.state = entry.state;
		snapshot.local = entry.local.text();
		snapshot.remote = entry.remote.text();
		return false;
	});
	if (found) {
		snapshot.family = table.family;
		snapshot.type = table.type;
		snapshot.protocol = table.protocol;
	}
	return found;
}

bool fill_unix(const std::string &table_path, DescriptorSnapshot &snapshot) {
	bool found = false;
	each_unix_socket(table_path, [&](const UnixEntry &entry) {
		if (entry.inode != snapshot.inode) {
			return true;
		}
		found = true;
		snapshot.family = AF_UNIX;
		snapshot.type = entry.type;
		snapshot.state = entry.state;
		if (!entry.path.empty()) {
			snapshot.unix_path = entry.path;
		}
		return false;
	});
	return found;
}

// A client's socket has no name of its own: what it is connected to has.
void fill_unix_peer(const ProcFs &procfs, std::uint32_t pid, DescriptorSnapshot &snapshot) {
	auto diag = unix_diag_of(procfs, pid);
	if (!diag) {
		return;
	}
	const auto inode = static_cast<std::uint32_t>(snapshot.inode);
	const auto peer = diag->peer_of(inode);
	snapshot.unix_peer_inode = peer.value_or(0);
	const std::uint64_t named = peer == 0U ? diag->listener_holding(inode).value_or(0) : peer.value_or(0);
	if (named == 0 || snapshot.unix_path) {
		return;
	}
	each_unix_socket(procfs.path_of(pid, "net/unix"), [&](const UnixEntry &entry) {
		if (entry.inode != named) {
			return true;
		}
		if (!entry.path.empty()) {
			snapshot.unix_path = entry.path;
		}
		return false;
	});
}

// net/netlink and net/packet: the inode is the last column.
bool fill_by_last_column(const std::string &table_path, std::uint16_t family, DescriptorSnapshot &snapshot) {
	bool found = false;
	each_line(table_path, [&](std::string_view line) {
		while (line.ends_with(' ')) {
			line.remove_suffix(1);
		}
		const std::size_t blank = line.rfind(' ');
		if (blank == std::string_view::npos || parse_number<std::uint64_t>(line.substr(blank + 1)) != snapshot.inode) {
			return true;
		}
		found = true;
		snapshot.family = family;
		snapshot.type = SOCK_RAW;
		if (family == AF_NETLINK) {
			Words words(line);
			snapshot.protocol = parse_number<std::uint16_t>(words.skip_and_next(1)).value_or(0);
		}
		return false;
	});
	return found;
}

void fill_socket(const ProcFs &procfs, std::uint32_t pid, const std::string &fd_path, DescriptorSnapshot &snapshot) {
	const std::string protocol = socket_protocol_name(pid, fd_path);
	for (const InetTable &table : inet_tables) {
		if (!protocol.empty() && protocol != table.kernel_name) {
			continue;
		}
		if (fill_inet(procfs.path_of(pid, fmt::format("net/{}", table.name)), table, snapshot)) {
			return;
		}
		if (!protocol.empty()) { // in no table: neither bound nor connected
			snapshot.family = table.family;
			snapshot.type = table.type;
			snapshot.protocol = table.protocol;
			snapshot.state = state_close;
			return;
		}
	}
	if (protocol.empty() || protocol.starts_with("UNIX")) { // "UNIX-STREAM" since Linux 5.15
		const bool found = fill_unix(procfs.path_of(pid, "net/unix"), snapshot);
		if (found && snapshot.state == state_established) {
			fill_unix_peer(procfs, pid, snapshot);
		}
		if (found || !protocol.empty()) {
			snapshot.family = AF_UNIX;
			return;
		}
	}
	// These two list bound sockets only; the name is enough for the family.
	if (!fill_by_last_column(procfs.path_of(pid, "net/netlink"), AF_NETLINK, snapshot) &&
	    !fill_by_last_column(procfs.path_of(pid, "net/packet"), AF_PACKET, snapshot)) {
		snapshot.family = protocol == "NETLINK" ? AF_NETLINK : protocol == "PACKET" ? AF_PACKET : AF_UNSPEC;
	}
}

} // namespace

std::optional<OpenMode> open_mode(const ProcFs &procfs, std::uint32_t pid, std::uint32_t fd) {
	std::optional<OpenMode> mode;
	each_line(procfs.path_of(pid, fmt::format("fdinfo/{}", fd)), [&](std::string_view line) {
		Words words(line);
		if (words.next() != "flags:") {
			return true;
		}
		if (const auto flags = parse_number<std::uint32_t>(words.next(), 8)) {
			const std::uint32_t access = *flags & O_ACCMODE;
			mode = OpenMode{access != O_WRONLY, access == O_WRONLY || access == O_RDWR};
		}
		return false;
	});
	return mode;
}

std::optional<DescriptorSnapshot> ProcFs::descriptor(std::uint32_t pid, int fd) const {
	if (fd < 0) {
		return std::nullopt;
	}
	const std::string fd_path = path_of(pid, fmt::format("fd/{}", fd));
	auto link = read_link(fd_path);
	if (!link) {
		return std::nullopt;
	}
	DescriptorSnapshot snapshot;
	snapshot.fd = fd;
	if (const auto mode = open_mode(*this, pid, static_cast<std::uint32_t>(fd))) {
		snapshot.writable_end = mode->writes;
	}
	if (const auto socket = number_in_brackets<std::uint64_t>(*link, "socket:[")) {
		snapshot.kind = DescriptorKind::socket;
		snapshot.inode = *socket;
		fill_socket(*this, pid, fd_path, snapshot);
		return snapshot;
	}
	if (const auto pipe = number_in_brackets<std::uint64_t>(*link, "pipe:[")) {
		snapshot.kind = DescriptorKind::pipe;
		snapshot.inode = *pipe;
		return snapshot;
	}
	if (link->starts_with("anon_inode:")) {
		snapshot.kind = DescriptorKind::anonymous;
	} else if (const auto file = identify(pid, fmt::format("fd/{}", fd))) {
		snapshot.kind = kind_of(file->mode);
		snapshot.inode = file->inode;
		snapshot.device = file->device;
	}
	snapshot.path = std::move(*link);
	return snapshot;
}

std::vector<int> ProcFs::epoll_targets(std::uint32_t pid, int epfd) const {
	std::vector<int> targets;
	each_line(path_of(pid, fmt::format("fdinfo/{}", epfd)), [&](std::string_view line) {
		Words words(line);
		if (words.next() == "tfd:") {
			const auto fd = parse_number<int>(words.next());
			if (fd && *fd >= 0) {
				targets.push_back(*fd);
			}
		}
		return true;
	});
	std::sort(targets.begin(), targets.end());
	return targets;
}

} // namespace loopsnoop::process
