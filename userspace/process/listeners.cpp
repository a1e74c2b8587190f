// SPDX-License-Identifier: Apache-2.0
#include "process/listeners.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>

#include "process/pseudo_file.h"
#include "process/socket_table.h"
#include "process/text.h"

namespace loopsnoop::process {

std::optional<std::vector<Listener>> listeners(const ProcFs &procfs, std::uint32_t pid) {
	std::set<std::uint64_t> sockets;
	const bool readable = each_number(procfs.path_of(pid, "fd"), [&](std::uint32_t fd) {
		const auto link = read_link(procfs.path_of(pid, "fd/" + std::to_string(fd)));
		if (const auto inode = link ? number_in_brackets<std::uint64_t>(*link, "socket:[") : std::nullopt) {
			sockets.insert(*inode);
		}
		return true;
	});
	if (!readable) {
		return std::nullopt;
	}
	std::vector<Listener> found;
	if (sockets.empty()) {
		return found;
	}
	for (const std::string_view table : std::array<std::string_view, 2>{"net/tcp", "net/tcp6"}) {
		each_inet_socket(procfs.path_of(pid, table), [&](const InetEntry &entry) {
			if (entry.state == state_listen && sockets.contains(entry.inode)) {
				found.push_back({entry.local.text(), entry.receive_queue});
			}
			return true;
		});
	}
	each_unix_socket(procfs.path_of(pid, "net/unix"), [&](const UnixEntry &entry) {
		if (entry.listening && sockets.contains(entry.inode)) {
			found.push_back({entry.path, std::nullopt});
		}
		return true;
	});
	std::sort(found.begin(), found.end(), [](const Listener &a, const Listener &b) { return a.address < b.address; });
	return found;
}

} // namespace loopsnoop::process
