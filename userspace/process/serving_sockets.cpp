// SPDX-License-Identifier: Apache-2.0
#include "process/serving_sockets.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "process/pseudo_file.h"
#include "process/socket_table.h"
#include "process/tcp_diag.h"
#include "process/text.h"

namespace loopsnoop::process {

namespace {

struct Descriptors {
	std::map<std::uint32_t, std::uint64_t> sockets; // inodes by number
	std::vector<std::uint32_t> epolls;
	bool event_queue = false;
};

std::optional<Descriptors> read_descriptors(const ProcFs &procfs, std::uint32_t pid) {
	Descriptors found;
	const bool readable = each_number(procfs.path_of(pid, "fd"), [&](std::uint32_t fd) {
		const auto link = read_link(procfs.path_of(pid, "fd/" + std::to_string(fd)));
		if (!link) {
			return true;
		}
		if (const auto inode = number_in_brackets<std::uint64_t>(*link, "socket:[")) {
			found.sockets.emplace(fd, *inode);
		} else if (*link == "anon_inode:[eventpoll]") {
			found.epolls.push_back(fd);
			found.event_queue = true;
		} else if (*link == "anon_inode:[io_uring]") {
			found.event_queue = true;
		}
		return true;
	});
	return readable ? std::optional(std::move(found)) : std::nullopt;
}

// The sockets of one network namespace, and which of them are the process's.
class Tables {
public:
	explicit Tables(const std::map<std::uint32_t, std::uint64_t> &sockets) {
		for (const auto &[fd, inode] : sockets) {
			own_.insert(inode);
		}
	}

	void read(const ProcFs &procfs, std::uint32_t pid) {
		for (const std::string_view table : std::array<std::string_view, 2>{"net/tcp", "net/tcp6"}) {
			each_inet_socket(procfs.path_of(pid, table), [&](const InetEntry &entry) {
				take(entry);
				return true;
			});
		}
		for (const std::string_view table : std::array<std::string_view, 2>{"net/udp", "net/udp6"}) {
			each_inet_socket(procfs.path_of(pid, table), [&](const InetEntry &entry) {
				if (own_.contains(entry.inode)) {
					network_.insert(entry.inode);
				}
				return true;
			});
		}
		each_unix_socket(procfs.path_of(pid, "net/unix"), [&](const UnixEntry &entry) {
			take(entry);
			return true;
		});
	}

	[[nodiscard]] std::vector<Listener> listening() const {
		std::vector<Listener> sorted = listening_;
		std::ranges::sort(sorted, {}, &Listener::address);
		return sorted;
	}
	[[nodiscard]] bool accepted() const {
		const auto is_of = [](const std::set<std::uint16_t> &ports) {
			return [&ports](std::uint16_t port) { return ports.contains(port); };
		};
		return accepted_unix_ || std::ranges::any_of(connected_, is_of(ports_of_all_)) ||
		       std::ranges::any_of(ended_, is_of(own_ports_));
	}
	[[nodiscard]] bool is_network(std::uint64_t inode) const { return network_.contains(inode); }

private:
	void take(const InetEntry &entry) {
		const bool own = own_.contains(entry.inode);
		if (own) {
			network_.insert(entry.inode);
		}
		if (entry.state == state_listen) {
			ports_of_all_.insert(entry.local.port);
			if (own) {
				own_ports_.insert(entry.local.port);
				listening_.push_back({entry.local.text(), entry.receive_queue});
			}
		} else if (entry.state == state_time_wait) {
			ended_.push_back(entry.local.port);
			ended_.push_back(entry.remote.port); // a customer on this machine who closed first
		} else if (own) {
			connected_.push_back(entry.local.port);
		}
	}

	// A connection that was accepted has the path of the socket that it was made to; who made it has none.
	void take(const UnixEntry &entry) {
		constexpr std::uint16_t stream = 1;
		if (!own_.contains(entry.inode)) {
			return;
		}
		if (entry.listening) {
			network_.insert(entry.inode);
			listening_.push_back({entry.path, std::nullopt});
		} else if (entry.type == stream && entry.state == state_established && !entry.path.empty()) {
			accepted_unix_ = true;
		}
	}

	std::set<std::uint64_t> own_;
	std::set<std::uint64_t> network_; // its own: those of the Internet's protocols, and what it listens on
	std::set<std::uint16_t> own_ports_;
	std::set<std::uint16_t> ports_of_all_; // a connection may have been handed down by the process that accepted it
	std::vector<std::uint16_t> connected_; // local ports of its own connections
	std::vector<std::uint16_t> ended_;     // ports of the connections that ended in the last minute (TCP_TIMEWAIT_LEN)
	std::vector<Listener> listening_;
	bool accepted_unix_ = false;
};

} // namespace

std::optional<ServingSockets> serving_sockets(const ProcFs &procfs, std::uint32_t pid) {
	const auto descriptors = read_descriptors(procfs, pid);
	if (!descriptors) {
		return std::nullopt;
	}
	ServingSockets found;
	found.event_queue = descriptors->event_queue;
	Tables tables(descriptors->sockets);
	if (!descriptors->sockets.empty()) {
		tables.read(procfs, pid);
		found.listening = tables.listening();
		found.accepted = tables.accepted();
	}
	constexpr std::size_t max_queues = 16;
	for (std::size_t i = 0; i < std::min(max_queues, descriptors->epolls.size()); i++) {
		EventQueue queue;
		queue.fd = static_cast<int>(descriptors->epolls[i]);
		queue.watches = procfs.epoll_targets(pid, queue.fd);
		queue.serves = std::ranges::any_of(queue.watches, [&](int fd) {
			const auto socket = descriptors->sockets.find(static_cast<std::uint32_t>(fd));
			return socket != descriptors->sockets.end() && tables.is_network(socket->second);
		});
		found.queues.push_back(std::move(queue));
	}
	return found;
}

} // namespace loopsnoop::process
