// SPDX-License-Identifier: Apache-2.0
#include "process/sock_diag.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <thread>
#include <vector>

#include "process/pseudo_file.h"

namespace loopsnoop::process {

namespace {

UniqueFd diag_socket() {
	UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
	const timeval patience{0, 100000};
	if (fd.valid() && ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) {
		fd.reset();
	}
	return fd;
}

enum class Progress : std::uint8_t { more, complete, failed };

// The messages of one packet that answer the question `sequence`.
Progress take_packet(std::span<const std::byte> packet, std::uint32_t sequence, SockDiag::Answers answers,
                     const SockDiag::OnMessage &on_message) {
	while (packet.size() >= sizeof(nlmsghdr)) {
		nlmsghdr header{};
		std::memcpy(&header, packet.data(), sizeof header);
		if (header.nlmsg_len < sizeof header || header.nlmsg_len > packet.size()) {
			return Progress::failed;
		}
		if (header.nlmsg_seq == sequence) { // else: a late answer to an earlier question
			if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) {
				return header.nlmsg_type == NLMSG_DONE ? Progress::complete : Progress::failed;
			}
			on_message(packet.subspan(sizeof header, header.nlmsg_len - sizeof header));
			if (answers == SockDiag::Answers::one) {
				return Progress::complete;
			}
		}
		packet = packet.subspan(std::min<std::size_t>(packet.size(), NLMSG_ALIGN(header.nlmsg_len)));
	}
	return Progress::more;
}

} // namespace

std::optional<SockDiag> SockDiag::open(const std::string &namespace_path) {
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
	return SockDiag(std::move(socket));
}

std::optional<SockDiag> SockDiag::of(const ProcFs &procfs, std::uint32_t pid) {
	const auto ours = read_link(procfs.root() + "/thread-self/ns/net");
	const std::string theirs_path = procfs.path_of(pid, "ns/net");
	const auto theirs = read_link(theirs_path);
	if (!ours || !theirs) {
		return std::nullopt;
	}
	return open(*ours == *theirs ? std::string() : theirs_path);
}

bool SockDiag::ask(std::span<const std::byte> request, Answers answers, const OnMessage &on_message) {
	std::vector<std::byte> question(sizeof(nlmsghdr) + request.size());
	nlmsghdr header{};
	header.nlmsg_len = static_cast<std::uint32_t>(question.size());
	header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | (answers == Answers::dump ? NLM_F_DUMP : 0));
	header.nlmsg_seq = ++sequence_;
	std::memcpy(question.data(), &header, sizeof header);
	std::memcpy(question.data() + sizeof header, request.data(), request.size());
	if (::send(socket_.get(), question.data(), question.size(), 0) != static_cast<ssize_t>(question.size())) {
		return false;
	}
	std::vector<std::byte> packet(32768);
	for (;;) {
		const ssize_t got = ::recv(socket_.get(), packet.data(), packet.size(), 0);
		if (got <= 0) {
			return false; // the time-out, too
		}
		const auto progress =
		    take_packet(std::span(packet).first(static_cast<std::size_t>(got)), header.nlmsg_seq, answers, on_message);
		if (progress != Progress::more) {
			return progress == Progress::complete;
		}
	}
}

void each_diag_attribute(std::span<const std::byte> message, std::size_t fixed,
                         const std::function<void(std::uint16_t type, std::span<const std::byte> value)> &on_attribute) {
	std::span<const std::byte> rest = message.subspan(std::min(message.size(), fixed));
	while (rest.size() >= sizeof(rtattr)) {
		rtattr attribute{};
		std::memcpy(&attribute, rest.data(), sizeof attribute);
		if (attribute.rta_len < sizeof attribute || attribute.rta_len > rest.size()) {
			return;
		}
		on_attribute(attribute.rta_type, rest.subspan(sizeof attribute, attribute.rta_len - sizeof attribute));
		rest = rest.subspan(std::min<std::size_t>(rest.size(), RTA_ALIGN(attribute.rta_len)));
	}
}

} // namespace loopsnoop::process
