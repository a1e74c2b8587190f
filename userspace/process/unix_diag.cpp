// SPDX-License-Identifier: Apache-2.0
#include "process/unix_diag.h"

#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "process/socket_table.h"

namespace loopsnoop::process {

namespace {

using OnSocket = std::function<void(const unix_diag_msg &socket, std::uint16_t attribute, std::span<const std::byte> value)>;

std::uint32_t word_at(std::span<const std::byte> value, std::size_t index) {
	std::uint32_t word = 0;
	std::memcpy(&word, value.data() + index * sizeof word, sizeof word);
	return word;
}

void ask(SockDiag &diag, const unix_diag_req &request, SockDiag::Answers answers, const OnSocket &on_socket) {
	diag.ask(std::as_bytes(std::span(&request, 1)), answers, [&](std::span<const std::byte> message) {
		unix_diag_msg socket{};
		if (message.size() < sizeof socket) {
			return;
		}
		std::memcpy(&socket, message.data(), sizeof socket);
		each_diag_attribute(message, sizeof socket, [&](std::uint16_t attribute, std::span<const std::byte> value) {
			on_socket(socket, attribute, value);
		});
	});
}

unix_diag_req make_request() {
	unix_diag_req request{};
	request.sdiag_family = AF_UNIX;
	request.udiag_states = ~0U;
	request.udiag_cookie[0] = ~0U; // any
	request.udiag_cookie[1] = ~0U;
	return request;
}

} // namespace

std::optional<UnixDiag> UnixDiag::open(const std::string &namespace_path) {
	auto diag = SockDiag::open(namespace_path);
	if (!diag) {
		return std::nullopt;
	}
	return UnixDiag(std::move(*diag));
}

std::optional<std::uint32_t> UnixDiag::peer_of(std::uint32_t inode) {
	unix_diag_req request = make_request();
	request.udiag_ino = inode;
	request.udiag_show = UDIAG_SHOW_PEER;
	std::optional<std::uint32_t> peer;
	const auto on_socket = [&](const unix_diag_msg &socket, std::uint16_t attribute, std::span<const std::byte> value) {
		if (socket.udiag_ino == inode && attribute == UNIX_DIAG_PEER && value.size() >= sizeof(std::uint32_t)) {
			peer = word_at(value, 0);
		}
	};
	ask(diag_, request, SockDiag::Answers::one, on_socket);
	return peer;
}

std::optional<std::uint32_t> UnixDiag::listener_holding(std::uint32_t inode) {
	unix_diag_req request = make_request();
	request.udiag_states = 1U << state_listen;
	request.udiag_show = UDIAG_SHOW_ICONS;
	std::optional<std::uint32_t> listener;
	const auto on_socket = [&](const unix_diag_msg &socket, std::uint16_t attribute, std::span<const std::byte> value) {
		for (std::size_t i = 0; attribute == UNIX_DIAG_ICONS && i < value.size() / sizeof(std::uint32_t); ++i) {
			if (word_at(value, i) == inode) {
				listener = socket.udiag_ino;
			}
		}
	};
	ask(diag_, request, SockDiag::Answers::dump, on_socket);
	return listener;
}

std::optional<UnixSocket> parse_unix_message(std::span<const std::byte> message) {
	unix_diag_msg head{};
	if (message.size() < sizeof head) {
		return std::nullopt;
	}
	std::memcpy(&head, message.data(), sizeof head);
	if (head.udiag_family != AF_UNIX || (head.udiag_type != SOCK_STREAM && head.udiag_type != SOCK_SEQPACKET)) {
		return std::nullopt;
	}
	UnixSocket socket;
	socket.inode = head.udiag_ino;
	socket.state = head.udiag_state;
	each_diag_attribute(message, sizeof head, [&](std::uint16_t type, std::span<const std::byte> value) {
		if (type == UNIX_DIAG_NAME && !value.empty()) {
			socket.path.assign(reinterpret_cast<const char *>(value.data()), value.size());
			if (socket.path.front() == '\0') {
				socket.path.front() = '@';
			}
			socket.path.resize(std::min(socket.path.find('\0'), socket.path.size()));
		} else if (type == UNIX_DIAG_PEER && value.size() >= sizeof(std::uint32_t)) {
			socket.peer = word_at(value, 0);
		} else if (type == UNIX_DIAG_RQLEN && value.size() >= sizeof(unix_diag_rqlen)) {
			socket.unread = word_at(value, 0);
		}
	});
	return socket;
}

bool each_unix_stream(SockDiag &diag, const std::function<void(UnixSocket &&socket)> &on_socket) {
	unix_diag_req request = make_request();
	request.udiag_states = 1U << state_listen | 1U << state_established;
	request.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN;
	return diag.ask(std::as_bytes(std::span(&request, 1)), SockDiag::Answers::dump, [&](std::span<const std::byte> message) {
		if (auto socket = parse_unix_message(message)) {
			on_socket(std::move(*socket));
		}
	});
}

std::optional<UnixDiag> unix_diag_of(const ProcFs &procfs, std::uint32_t pid) {
	auto diag = SockDiag::of(procfs, pid);
	if (!diag) {
		return std::nullopt;
	}
	return UnixDiag(std::move(*diag));
}

} // namespace loopsnoop::process
