// SPDX-License-Identifier: Apache-2.0
#include "foreign/wire.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace loopsnoop::foreign {

namespace {

struct QuestionHead {
	std::uint64_t number;
	std::uint64_t offset;
	std::uint64_t wanted;
	Action action;
	std::uint32_t pid;
	std::uint32_t root_bytes;
	std::uint32_t path_bytes;
	std::uint64_t ranges;
};

struct AnswerHead {
	std::uint64_t number;
	std::uint64_t bytes;
	FileStatus status;
	std::int64_t error;
	std::uint64_t took_ns;
};

struct Head {
	std::int64_t number;
};

// Room for one descriptor beside a message.
struct alignas(cmsghdr) Beside {
	std::array<char, CMSG_SPACE(sizeof(int))> bytes{};
};

bool send_all(int socket, std::span<iovec> parts, int file) {
	msghdr message{};
	message.msg_iov = parts.data();
	message.msg_iovlen = parts.size();
	Beside beside;
	if (file >= 0) {
		message.msg_control = beside.bytes.data();
		message.msg_controllen = beside.bytes.size();
		cmsghdr *const head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		std::memcpy(CMSG_DATA(head), &file, sizeof(int));
	}
	ssize_t sent = 0;
	do {
		sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent >= 0;
}

// How many bytes came; 0: nothing (more).
std::size_t receive_all(int socket, std::span<iovec> parts, int flags, UniqueFd &file) {
	msghdr message{};
	message.msg_iov = parts.data();
	message.msg_iovlen = parts.size();
	Beside beside;
	message.msg_control = beside.bytes.data();
	message.msg_controllen = beside.bytes.size();
	ssize_t got = 0;
	do {
		got = ::recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got <= 0) {
		return 0;
	}
	for (cmsghdr *head = CMSG_FIRSTHDR(&message); head != nullptr; head = CMSG_NXTHDR(&message, head)) {
		if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
			int received = -1;
			std::memcpy(&received, CMSG_DATA(head), sizeof(int));
			file.reset(received);
		}
	}
	return (message.msg_flags & MSG_TRUNC) != 0 ? 0 : static_cast<std::size_t>(got);
}

iovec part_of(const void *data, std::size_t size) {
	return {const_cast<void *>(data), size}; // NOLINT(cppcoreguidelines-pro-type-const-cast): iovec's type, nothing writes there
}

} // namespace

bool send_question(int socket, std::uint64_t number, const Question &question, std::size_t wanted) {
	if (question.root.size() + question.path.size() > max_path || question.ranges.size() > max_ranges) {
		errno = ENAMETOOLONG;
		return false;
	}
	const QuestionHead head{number,
	                        question.offset,
	                        wanted,
	                        question.action,
	                        question.pid,
	                        static_cast<std::uint32_t>(question.root.size()),
	                        static_cast<std::uint32_t>(question.path.size()),
	                        question.ranges.size()};
	std::array parts{part_of(&head, sizeof head), part_of(question.root.data(), question.root.size()),
	                 part_of(question.path.data(), question.path.size()),
	                 part_of(question.ranges.data(), question.ranges.size() * sizeof(Question::Range))};
	return send_all(socket, parts, question.file);
}

std::optional<Asked> receive_question(int socket) {
	QuestionHead head{};
	std::array<char, max_path + max_ranges * sizeof(Question::Range)> rest; // NOLINT(cppcoreguidelines-pro-type-member-init)
	std::array parts{part_of(&head, sizeof head), part_of(rest.data(), rest.size())};
	Asked asked;
	const std::size_t got = receive_all(socket, parts, 0, asked.file);
	const std::size_t names = std::size_t{head.root_bytes} + head.path_bytes;
	if (got < sizeof head || head.ranges > max_ranges || got - sizeof head != names + head.ranges * sizeof(Question::Range)) {
		return std::nullopt;
	}
	asked.number = head.number;
	asked.wanted = std::min<std::size_t>(head.wanted, max_answer);
	asked.question.action = head.action;
	asked.question.pid = head.pid;
	asked.question.offset = head.offset;
	asked.question.root.assign(rest.data(), head.root_bytes);
	asked.question.path.assign(rest.data() + head.root_bytes, head.path_bytes);
	asked.question.ranges.resize(head.ranges);
	if (head.ranges > 0) {
		std::memcpy(asked.question.ranges.data(), rest.data() + names, head.ranges * sizeof(Question::Range));
	}
	asked.question.file = asked.file.get();
	return asked;
}

bool send_answer(int socket, std::uint64_t number, const Answer &answer, std::span<const std::byte> bytes) {
	const AnswerHead head{number, bytes.size(), answer.status, answer.error, answer.took_ns};
	std::array parts{part_of(&head, sizeof head), part_of(bytes.data(), bytes.size())};
	return send_all(socket, parts, answer.file.get());
}

std::optional<Answered> receive_answer(int socket, std::span<std::byte> into) {
	AnswerHead head{};
	std::array parts{part_of(&head, sizeof head), part_of(into.data(), into.size())};
	Answered answered;
	const std::size_t got = receive_all(socket, parts, MSG_DONTWAIT, answered.answer.file);
	if (got < sizeof head || got - sizeof head != head.bytes) {
		return std::nullopt;
	}
	answered.number = head.number;
	answered.answer.error = static_cast<int>(head.error);
	answered.answer.status = head.status;
	answered.answer.took_ns = head.took_ns;
	answered.answer.bytes = static_cast<std::size_t>(head.bytes);
	return answered;
}

bool send_file(int socket, std::int64_t number, int file) {
	const Head head{number};
	std::array parts{part_of(&head, sizeof head)};
	return send_all(socket, parts, file);
}

std::optional<Received> receive_file(int socket) {
	Head head{};
	std::array parts{part_of(&head, sizeof head)};
	Received received;
	if (receive_all(socket, parts, 0, received.file) != sizeof head) {
		return std::nullopt;
	}
	received.number = head.number;
	return received;
}

} // namespace loopsnoop::foreign
