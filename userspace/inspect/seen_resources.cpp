// SPDX-License-Identifier: Apache-2.0
#include "inspect/seen_resources.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <variant>

#include "analysis/database_wait.h"

namespace loopsnoop::inspect {

namespace {

bool says_more(const Resource &resource) {
	if (const auto *lock = std::get_if<FutexResource>(&resource.is)) {
		// The GIL changes hands all the time: of many waits in a row one snapshot says little.
		return lock->lock != LockKind::gil && (lock->holder || lock->type || lock->lock != LockKind::unknown);
	}
	if (const auto *file = std::get_if<FileResource>(&resource.is)) {
		return file->holder.has_value() || file->peer.has_value();
	}
	if (const auto *socket = std::get_if<SocketResource>(&resource.is)) {
		return socket->peer.has_value();
	}
	if (const auto *pipe = std::get_if<PipeResource>(&resource.is)) {
		return pipe->peer.has_value();
	}
	const auto *several = std::get_if<FdsResource>(&resource.is);
	return several != nullptr && std::ranges::any_of(several->fds, says_more);
}

// Of the same thing only, and only what is not known.
void complete(FutexResource &lock, const FutexResource &seen) {
	if (lock.address == seen.address && !lock.holder) {
		lock = seen;
	}
}
void complete(FileResource &file, const FileResource &seen) {
	if (file.fd == seen.fd && file.path == seen.path) {
		file.holder = file.holder ? file.holder : seen.holder;
		file.peer = file.peer ? file.peer : seen.peer;
	}
}
void complete(SocketResource &socket, const SocketResource &seen) {
	if (socket.fd == seen.fd && socket.local == seen.local && socket.remote == seen.remote && socket.path == seen.path &&
	    !socket.peer) {
		socket.peer = seen.peer;
	}
}
void complete(PipeResource &pipe, const PipeResource &seen) {
	if (pipe.fd == seen.fd && pipe.path == seen.path && !pipe.peer) {
		pipe.peer = seen.peer;
	}
}
void complete(TimerResource & /*timer*/, const TimerResource & /*seen*/) {}
void complete(ProcessResource & /*process*/, const ProcessResource & /*seen*/) {}
void complete(FdsResource &several, const FdsResource &seen);

void complete(Resource &resource, const Resource &seen) {
	std::visit(
	    [&]<typename Kind>(Kind &one) {
		    if (const auto *same = std::get_if<Kind>(&seen.is)) {
			    complete(one, *same);
		    }
	    },
	    resource.is);
}

void complete(FdsResource &several, const FdsResource &seen) {
	for (std::size_t i = 0; i < std::min(several.fds.size(), seen.fds.size()); i++) {
		complete(several.fds[i], seen.fds[i]);
	}
}

// A sleep that was seen to be a wait for a database's lock.
bool is_about_database(const Wait &wait, const Resource &seen) {
	return std::holds_alternative<TimerResource>(wait.resource->is) && std::holds_alternative<FileResource>(seen.is) &&
	       wait.stack && analysis::sleeps_in_sqlite(*wait.stack);
}

bool names_holder(const Resource &resource) {
	const auto *lock = std::get_if<FutexResource>(&resource.is);
	return lock != nullptr && lock->holder;
}

} // namespace

void SeenResources::add(std::uint64_t iteration, SeenResource &&seen) {
	if (iteration != iteration_) {
		iteration_ = iteration;
		seen_.clear();
	}
	if (!says_more(seen.resource)) {
		return;
	}
	constexpr std::size_t most = 16;
	if (seen_.size() >= most) {
		seen_.erase(seen_.begin());
	}
	seen_.push_back(std::move(seen));
}

void SeenResources::recall(std::uint64_t iteration, Stall &stall) const {
	if (iteration != iteration_) {
		return;
	}
	for (Wait &wait : stall.waits) {
		if (!wait.resource) {
			continue;
		}
		// The latest goes first, and of a lock one that names its holder.
		for (const bool with_holder : {true, false}) {
			std::for_each(seen_.rbegin(), seen_.rend(), [&](const SeenResource &seen) {
				if (names_holder(seen.resource) == with_holder && wait.start_ns <= seen.seen_ns &&
				    seen.seen_ns <= wait.start_ns + wait.duration_ns) {
					if (is_about_database(wait, seen.resource)) {
						*wait.resource = seen.resource;
					}
					complete(*wait.resource, seen.resource);
				}
			});
		}
	}
}

std::optional<SeenResource> resource_in(const Stall &stall, std::uint64_t seen_ns) {
	for (const Wait &wait : stall.waits) {
		if (wait.ongoing && wait.resource) {
			return SeenResource{seen_ns, *wait.resource};
		}
	}
	return std::nullopt;
}

} // namespace loopsnoop::inspect
