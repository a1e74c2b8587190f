// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/resource.h"
#include "model/stall.h"

namespace loopsnoop::summary {

// What is waited for, as a noun. What a thread does with it is in wait.h.

// "tcp 127.0.0.1:5432 of postgres (pid 812)", "mutex 0x7f11, held by worker (tid 12)". Every string of the target is printable().
[[nodiscard]] std::string format_resource(const Resource &resource);
// A call on a resource: "poll() on tcp 127.0.0.1:5432", "wait4() for child git (pid 4900)"; empty when neither is known.
// Printable, too.
[[nodiscard]] std::string format_call(const std::optional<std::string> &syscall, const std::optional<Resource> &resource);

// In these the strings stand as they are: whoever prints them makes them printable.

// Short and without what differs from time to time: "127.0.0.1:5432 of postgres (pid 812)", a path; empty: nothing to name.
[[nodiscard]] std::string format_target(const Resource &resource);
// "10.1.2.3:443 (payments, pid 7)", where a sentence goes on about it; never empty.
[[nodiscard]] std::string format_other_end(const SocketResource &socket);
// "a mutex", "Python's GIL", "logging.Handler.lock"; what is waited for, without its address.
[[nodiscard]] std::string format_lock(const FutexResource &lock);
// The script or program that it runs, or its comm.
[[nodiscard]] const std::string &format_name(const Peer &peer);
// " of postgres (pid 812)" for `how` " of "; empty without a peer.
[[nodiscard]] std::string format_peer(std::string_view how, const std::optional<Peer> &peer);
// "worker (tid 12)"; of a thread without a name `unnamed` stands there.
[[nodiscard]] std::string format_thread(std::string_view name, std::uint32_t tid, std::string_view unnamed = "a thread");

} // namespace loopsnoop::summary
