// SPDX-License-Identifier: Apache-2.0
#include "process/peer_finder.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <string_view>

#include "process/deleted_path.h"
#include "process/open_mode.h"
#include "process/pseudo_file.h"
#include "process/socket_table.h"
#include "process/text.h"
#include "process/unix_diag.h"

namespace loopsnoop::process {

namespace {

std::string_view file_name(std::string_view path) {
	if (path.ends_with(deleted_suffix)) {
		path.remove_suffix(deleted_suffix.size());
	}
	return path.substr(path.rfind('/') + 1);
}

} // namespace

PeerFinder::PeerFinder(ProcFs procfs, PeerLimits limits)
    : procfs_(procfs), limits_(limits), search_(std::move(procfs), limits.remembered, limits.miss_lifetime) {}

std::optional<Peer> PeerFinder::find(std::uint32_t pid, const DescriptorSnapshot &snapshot) {
	const SteadyTime deadline = std::chrono::steady_clock::now() + limits_.budget;
	std::optional<std::uint32_t> found;
	if (snapshot.kind == DescriptorKind::pipe) {
		found = find_pipe(pid, snapshot, deadline);
	} else if (snapshot.kind == DescriptorKind::socket && snapshot.family == AF_UNIX) {
		found = find_unix(pid, snapshot, deadline);
	} else if (snapshot.kind == DescriptorKind::socket && (snapshot.family == AF_INET || snapshot.family == AF_INET6)) {
		found = find_inet(pid, snapshot, deadline);
	}
	if (!found) {
		return std::nullopt;
	}
	return Peer{*found, procfs_.comm(*found)};
}

bool PeerFinder::has(std::uint32_t pid, const DescriptorSearch::Match &match) const {
	constexpr int max_fds = 4096;
	bool found = false;
	int looked_at = 0;
	const std::string folder = procfs_.path_of(pid, "fd");
	each_number(folder, [&](std::uint32_t fd) {
		const auto link = read_link(fmt::format("{}/{}", folder, fd));
		found = link && match(pid, fd, *link);
		return !found && ++looked_at < max_fds;
	});
	return found;
}

// "tty-index:	4" of the master's fdinfo, drivers/tty/pty.c (pty_show_fdinfo). /dev/pts of a container counts for itself.
std::optional<Peer> PeerFinder::find_terminal(std::uint32_t pid, const std::string &path) {
	const std::string index(path.substr(path.rfind('/') + 1));
	const auto is_master = [&](std::uint32_t owner, std::uint32_t fd, const std::string &link) {
		bool same = false;
		if (link.ends_with("/ptmx") && procfs_.same_namespace(owner, pid, "mnt") == true) {
			each_line(procfs_.path_of(owner, fmt::format("fdinfo/{}", fd)), [&](std::string_view line) {
				Words words(line);
				same = words.next() == "tty-index:" && words.next() == index;
				return !same;
			});
		}
		return same;
	};
	const auto found = search_.find("terminal " + index, pid, is_master, std::chrono::steady_clock::now() + limits_.budget);
	return found ? std::optional(Peer{*found, procfs_.comm(*found)}) : std::nullopt;
}

std::optional<std::uint32_t> PeerFinder::owner_of_socket(std::uint32_t pid, std::uint64_t inode, SteadyTime deadline) {
	const std::string wanted = fmt::format("socket:[{}]", inode);
	return search_.find(
	    wanted, pid, [&](std::uint32_t, std::uint32_t, const std::string &link) { return link == wanted; }, deadline);
}

std::optional<std::uint32_t> PeerFinder::find_pipe(std::uint32_t pid, const DescriptorSnapshot &snapshot, SteadyTime deadline) {
	if (snapshot.inode == 0) {
		return std::nullopt;
	}
	const bool want_writer = !snapshot.writable_end;
	const bool named = snapshot.path && snapshot.path->starts_with('/');
	const std::string pipe_link = fmt::format("pipe:[{}]", snapshot.inode);
	const auto opposite = [&](std::uint32_t owner, std::uint32_t fd, const std::string &link) {
		if (named) {
			// The name may be another in the other process' mount namespace, its last part hardly. Comparing it first keeps
			// us from touching the inodes of every open file of the machine.
			if (file_name(link) != file_name(*snapshot.path)) {
				return false;
			}
			const auto file = procfs_.identify(owner, fmt::format("fd/{}", fd));
			if (!file || !S_ISFIFO(file->mode) || file->inode != snapshot.inode) {
				return false;
			}
		} else if (link != pipe_link) {
			return false;
		}
		const auto mode = open_mode(procfs_, owner, fd);
		return mode && (want_writer ? mode->writes : mode->reads);
	};
	const std::string key = fmt::format("{} {} {}", want_writer ? "writer" : "reader", pipe_link, named ? *snapshot.path : "");
	if (named || !has(pid, opposite)) {
		return search_.find(key, pid, opposite, deadline);
	}
	// The target has both ends, as a loop has of the pipe that wakes it: whoever else has both has only inherited them.
	const auto same_end = [&](std::uint32_t owner, std::uint32_t fd, const std::string &link) {
		const auto mode = link == pipe_link ? open_mode(procfs_, owner, fd) : std::nullopt;
		return mode && (want_writer ? mode->reads : mode->writes);
	};
	const auto only_opposite = [&](std::uint32_t owner, std::uint32_t fd, const std::string &link) {
		return opposite(owner, fd, link) && (owner == pid || !has(owner, same_end));
	};
	return search_.find("own " + key, pid, only_opposite, deadline);
}

std::optional<std::uint32_t> PeerFinder::find_unix(std::uint32_t pid, const DescriptorSnapshot &snapshot, SteadyTime deadline) {
	std::uint64_t peer_inode = snapshot.unix_peer_inode;
	if (peer_inode == 0 && snapshot.inode != 0 && snapshot.state != state_listen) {
		const auto inode = static_cast<std::uint32_t>(snapshot.inode);
		if (auto diag = unix_diag_of(procfs_, pid)) {
			const auto connected_to = diag->peer_of(inode);
			if (connected_to) {
				peer_inode = *connected_to != 0 ? *connected_to : diag->listener_holding(inode).value_or(0);
			}
		}
	}
	if (peer_inode != 0) {
		const std::string own_link = fmt::format("socket:[{}]", snapshot.inode);
		const std::string peer_link = fmt::format("socket:[{}]", peer_inode);
		const auto is_own = [&](std::uint32_t, std::uint32_t, const std::string &link) { return link == own_link; };
		const auto is_peer = [&](std::uint32_t, std::uint32_t, const std::string &link) { return link == peer_link; };
		if (snapshot.inode != 0 && has(pid, is_peer)) { // as of a pipe
			return search_.find(
			    "own " + peer_link, pid,
			    [&](std::uint32_t owner, std::uint32_t fd, const std::string &link) {
				    return is_peer(owner, fd, link) && (owner == pid || !has(owner, is_own));
			    },
			    deadline);
		}
		if (const auto owner = owner_of_socket(pid, peer_inode, deadline)) {
			return owner;
		}
	}
	// The credentials' pid comes after the inode: it is who made the socket pair or began to listen, which need not be who
	// has that end now. The target's own pid there says only that it made the pair.
	if (snapshot.unix_peer_pid != 0 && snapshot.unix_peer_pid != pid && procfs_.exists(snapshot.unix_peer_pid)) {
		return snapshot.unix_peer_pid;
	}
	if (!snapshot.unix_path || snapshot.unix_path->empty() || snapshot.state == state_listen || peer_inode != 0) {
		return std::nullopt;
	}
	std::uint64_t listener = 0;
	bool own_name = false; // the target is the server's side: who listens under that name says nothing of the client
	each_unix_socket(procfs_.path_of(pid, "net/unix"), [&](const UnixEntry &entry) {
		if (entry.path == *snapshot.unix_path) {
			own_name = own_name || entry.inode == snapshot.inode;
			if (listener == 0 && (entry.listening || entry.type == SOCK_DGRAM)) {
				listener = entry.inode;
			}
		}
		return !own_name;
	});
	if (own_name) {
		return std::nullopt;
	}
	return listener != 0 ? owner_of_socket(pid, listener, deadline) : std::nullopt;
}

std::optional<std::uint32_t> PeerFinder::find_inet(std::uint32_t pid, const DescriptorSnapshot &snapshot, SteadyTime deadline) {
	const auto local = snapshot.local ? parse_address(*snapshot.local) : std::nullopt;
	const auto remote = snapshot.remote ? parse_address(*snapshot.remote) : std::nullopt;
	const bool udp = snapshot.type == SOCK_DGRAM;
	if (!local || !remote || remote->port == 0 || (!udp && snapshot.type != SOCK_STREAM)) {
		return std::nullopt;
	}
	const std::string key = fmt::format("{}/{}/{}>{}", pid, snapshot.type, local->text(), remote->text());
	const auto known = remote_.find(key);
	if (known != remote_.end() && std::chrono::steady_clock::now() - known->second < limits_.miss_lifetime) {
		return std::nullopt;
	}
	const Connection connection{udp ? Transport::udp : Transport::tcp, snapshot.state, *local, *remote};
	const std::uint64_t inode = other_end(pid, connection, deadline);
	if (inode != 0) {
		return owner_of_socket(pid, inode, deadline);
	}
	if (remote_.size() >= limits_.remembered) {
		remote_.clear();
	}
	remote_[key] = std::chrono::steady_clock::now();
	return std::nullopt;
}

} // namespace loopsnoop::process
