// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "model/special_members.h"

namespace loopsnoop {

struct Peer {
	std::uint32_t pid = 0;
	std::string comm;
	std::string name = {}; // the script or program that it runs, where that is not its comm: process/process_name.h
};

// Anything with a path, anonymous inodes ("anon_inode:[eventfd]") and devices included.
struct FileResource {
	std::optional<int> fd;                     // null when the call took a path
	std::optional<std::string> path;           // as the target sees it
	std::optional<Peer> holder = std::nullopt; // of the lock on it that is waited for: the process; null: none is, or not known
	std::optional<Peer> peer = std::nullopt;   // of a pseudo-terminal: the process that has its other end
};

struct SocketResource {
	std::optional<int> fd;
	std::string protocol;             // "tcp" "tcp6" "udp" "udp6" "unix" "netlink" …
	std::optional<std::string> local; // "127.0.0.1:51544", "[::1]:80"
	std::optional<std::string> remote;
	std::optional<std::string> path;  // unix sockets; abstract ones start with '@'
	std::optional<std::string> state; // "ESTABLISHED", "SYN_SENT", …
	std::optional<Peer> peer;         // the process at the other end, where it is local and could be found
};

struct PipeResource {
	std::optional<int> fd;
	std::optional<std::string> path; // of a FIFO
	std::optional<Peer> peer;        // the process at the other end
};

enum class LockKind : std::uint8_t { gil, pthread_mutex, python_lock, unknown };
[[nodiscard]] constexpr std::string_view name_of(LockKind kind) {
	switch (kind) {
	case LockKind::gil: return "gil";
	case LockKind::pthread_mutex: return "pthread_mutex";
	case LockKind::python_lock: return "python_lock";
	case LockKind::unknown: break;
	}
	return "unknown";
}

struct Holder {
	std::uint32_t tid = 0;
	std::string thread;
	bool inferred = false; // false: read from the lock's owner field
};

// Of a queue.Queue: how many items are in it, and how many may be.
struct QueueFill {
	std::uint64_t items = 0;
	std::uint64_t max = 0;
};

struct FutexResource {
	std::uint64_t address = 0;
	LockKind lock = LockKind::unknown;
	std::optional<Holder> holder;
	// What it is called: "recursive pthread mutex", "pthread rwlock", "threading.RLock", "logging.Handler.lock", "import lock of
	// NAME", "threading.Event", …; unset: not known. NAME is the target's: any bytes.
	std::optional<std::string> type = std::nullopt;
	std::optional<QueueFill> full = std::nullopt; // of a queue.Queue that something is to be put into
	std::uint64_t object = 0; // address of CPython's lock object, 0: none, or not known; not part of any record
	// Nothing but another thread of the same process ends a wait for it: there is no time-out, and it is in no shared memory. Not
	// part of any record either.
	bool within_process = false;
};
// The type of what a thread waits for that joins another one, which then is the holder.
inline constexpr std::string_view thread_end = "threading.Thread";
// The type of what a thread waits for that has given a multiprocessing.Pool something to do.
inline constexpr std::string_view pool_result = "result of a multiprocessing.Pool";

struct TimerResource {
	std::optional<std::uint64_t> requested_ns;
};

struct ProcessResource {
	std::optional<std::uint32_t> pid; // null: any child
	std::optional<std::string> comm;
	std::string name = {}; // as of a Peer
};

struct FdsResource;

struct Resource;
struct FdsResource {
	std::vector<Resource> fds;
	std::uint64_t total = 0; // that the call has; those beyond the first few are not in `fds`. 0: as many as are there
};

struct Resource {
	LOOPSNOOP_SPECIAL_MEMBERS(Resource);
	// Any of the kinds is one. NOLINTBEGIN(google-explicit-constructor, bugprone-forwarding-reference-overload)
	template <typename Kind>
	requires(!std::is_same_v<std::remove_cvref_t<Kind>, Resource>) Resource(Kind &&kind) : is(std::forward<Kind>(kind)) {}
	// NOLINTEND(google-explicit-constructor, bugprone-forwarding-reference-overload)

	std::variant<FileResource, SocketResource, PipeResource, FutexResource, TimerResource, ProcessResource, FdsResource> is;
};

} // namespace loopsnoop
