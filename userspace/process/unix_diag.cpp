// SPDX-License-Identifier: Apache-2.0
#include "process/unix_diag.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cstring>
#include <functional>
#include <span>
#include <system_error>
#include <thread>
#include <vector>

#include "process/pseudo_file.h"
#include "process/socket_table.h"

namespace loopsnoop::process {

namespace {

struct Request {
	nlmsghdr header;
	unix_diag_req diag;
};

using OnSocket = std::function<void(const unix_diag_msg &socket, std::uint16_t attribute, std::span<const std::byte> value)>;

UniqueFd diag_socket() {
	UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
	const timeval patience{0, 100000};
	if (fd.valid() && ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) {
		fd.reset();
	}
	return fd;
}

std::uint32_t word_at(std::span<const std::byte> value, std::size_t index) {
	std::uint32_t word = 0;
	std::memcpy(&word, value.data() + index * sizeof word, sizeof word);
	return word;
}

void each_attribute(std::span<const std::byte> message, const OnSocket &on_socket) {
	unix_diag_msg socket{};
	if (message.size() < sizeof socket) {
		return;
	}
	std::memcpy(&socket, message.data(), sizeof socket);
	std::span<const std::byte> rest = message.subspan(sizeof socket);
	while (rest.size() >= sizeof(rtattr)) {
		rtattr attribute{};
		std::memcpy(&attribute, rest.data(), sizeof attribute);
		if (attribute.rta_len < sizeof attribute || attribute.rta_len > rest.size()) {
			return;
		}
		on_socket(socket, attribute.rta_type, rest.subspan(sizeof attribute, attribute.rta_len - sizeof attribute));
		rest = rest.subspan(std::min<std::size_t>(rest.size(), RTA_ALIGN(attribute.rta_len)));
	}
}

// Sends one request and reads its answers to the end of the dump, or the one answer when it is no dump.
void ask(int fd, const Request &request, const OnSocket &on_socket) {
	if (::send(fd, &request, sizeof request, 0) != sizeof request) {
		return;
	}
	const bool dump = (request.header.nlmsg_flags & NLM_F_DUMP) != 0;
	std::vector<std::byte> answer(32768);
	for (;;) {
		const ssize_t got = ::recv(fd, answer.data(), answer.size(), 0);
		if (got <= 0) {
			return; // the time-out, too
		}
		std::span<const std::byte> rest(answer.data(), static_cast<std::size_t>(got));
		while (rest.size() >= sizeof(nlmsghdr)) {
			nlmsghdr header{};
			std::memcpy(&header, rest.data(), sizeof header);
			if (header.nlmsg_len < sizeof header || header.nlmsg_len > rest.size()) {
				return;
			}
			if (header.nlmsg_seq == request.header.nlmsg_seq) { // else: a late answer to an earlier question
				if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) {
					return;
				}
				each_attribute(rest.subspan(sizeof header, header.nlmsg_len - sizeof header), on_socket);
				if (!dump) {
					return;
				}
			}
			rest = rest.subspan(std::min<std::size_t>(rest.size(), NLMSG_ALIGN(header.nlmsg_len)));
		}
	}
}

Request make_request(std::uint32_t sequence, std::uint16_t flags) {
	Request request{};
	request.header.nlmsg_len = sizeof request;
	request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	request.header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
	request.header.nlmsg_seq = sequence;
	request.diag.sdiag_family = AF_UNIX;
	request.diag.udiag_states = ~0U;
	request.diag.udiag_cookie[0] = ~0U; // any
	request.diag.udiag_cookie[1] = ~0U;
	return request;
}

} // namespace

std::optional<UnixDiag> UnixDiag::open(const std::string &namespace_path) {
	UniqueFd socket;
	if (namespace_path.empty()) {
		socket = diag_socket();
	} else {
		const UniqueFd wanted(::open(namespace_path.c_str(), O_RDONLY | O_CLOEXEC));
		if (!wanted.valid()) {
			return std::nullopt;
		}
		try {
			// A namespace is a thread's own, and a socket stays in the one that it was made in.
			std::thread visitor([&] {
				if (::setns(wanted.get(), CLONE_NEWNET) == 0) {
					socket = diag_socket();
				}
			});
			visitor.join();
		} catch (const std::system_error &) {
			return std::nullopt; // no thread to be had
		}
	}
	if (!socket.valid()) {
		return std::nullopt;
	}
	return UnixDiag(std::move(socket));
}

std::optional<std::uint32_t> UnixDiag::peer_of(std::uint32_t inode) {
	Request request = make_request(++sequence_, 0);
	request.diag.udiag_ino = inode;
	request.diag.udiag_show = UDIAG_SHOW_PEER;
	std::optional<std::uint32_t> peer;
	ask(socket_.get(), request, [&](const unix_diag_msg &socket, std::uint16_t attribute, std::span<const std::byte> value) {
		if (socket.udiag_ino == inode && attribute == UNIX_DIAG_PEER && value.size() >= sizeof(std::uint32_t)) {
			peer = word_at(value, 0);
		}
	});
	return peer;
}

std::optional<std::uint32_t> UnixDiag::listener_holding(std::uint32_t inode) {
	Request request = make_request(++sequence_, NLM_F_DUMP);
	request.diag.udiag_states = 1U << state_listen;
	request.diag.udiag_show = UDIAG_SHOW_ICONS;
	std::optional<std::uint32_t> listener;
	ask(socket_.get(), request, [&](const unix_diag_msg &socket, std::uint16_t attribute, std::span<const std::byte> value) {
		for (std::size_t i = 0; attribute == UNIX_DIAG_ICONS && i < value.size() / sizeof(std::uint32_t); ++i) {
			if (word_at(value, i) == inode) {
				listener = socket.udiag_ino;
			}
		}
	});
	return listener;
}

std::optional<UnixDiag> unix_diag_of(const ProcFs &procfs, std::uint32_t pid) {
	const auto ours = read_link(procfs.root() + "/thread-self/ns/net");
	const std::string theirs_path = procfs.path_of(pid, "ns/net");
	const auto theirs = read_link(theirs_path);
	if (!ours || !theirs) {
		return std::nullopt;
	}
	return UnixDiag::open(*ours == *theirs ? std::string() : theirs_path);
}

} // namespace loopsnoop::process
