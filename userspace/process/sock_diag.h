// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/unique_fd.h"
#include "process/procfs.h"

namespace loopsnoop::process {

// A NETLINK_SOCK_DIAG socket of one network namespace: what the kernel knows of sockets beyond /proc/net. Each answer comes
// within 100 ms or not at all. One thread at a time. An open one keeps its namespace alive: open it, ask, and let it go.
class SockDiag {
public:
	// `namespace_path`: "/proc/PID/ns/net"; empty: our own. Another than ours takes CAP_SYS_ADMIN; the calling thread's
	// namespace is never changed (a thread of its own goes there and ends). nullopt: not allowed or not built in.
	[[nodiscard]] static std::optional<SockDiag> open(const std::string &namespace_path);
	// Of the network namespace of a process. nullopt, too, where the namespaces cannot be compared: nothing is asked then.
	[[nodiscard]] static std::optional<SockDiag> of(const ProcFs &procfs, std::uint32_t pid);

	enum class Answers : std::uint8_t { one, dump };
	// One message without its nlmsghdr: a unix_diag_msg or inet_diag_msg with its attributes behind it.
	using OnMessage = std::function<void(std::span<const std::byte> message)>;
	// `request`: a unix_diag_req or inet_diag_req_v2. False: no answer, or none to its end.
	bool ask(std::span<const std::byte> request, Answers answers, const OnMessage &on_message);

private:
	explicit SockDiag(UniqueFd socket) : socket_(std::move(socket)) {}

	UniqueFd socket_;
	std::uint32_t sequence_ = 0;
};

// Calls with each attribute behind a message's fixed part of `fixed` bytes; ends at one that does not fit.
void each_diag_attribute(std::span<const std::byte> message, std::size_t fixed,
                         const std::function<void(std::uint16_t type, std::span<const std::byte> value)> &on_attribute);

} // namespace loopsnoop::process
