// SPDX-License-Identifier: Apache-2.0
#include "inspect/peer_chain.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "analysis/circumstances.h"
#include "process/pseudo_file.h"

namespace loopsnoop::inspect {

namespace {

struct Next {
	std::uint32_t pid = 0;
	bool child = false;
};

// The process that a resource leads to.
std::optional<Next> next_of(const Resource &resource) {
	const Peer *peer = nullptr;
	if (const auto *socket = std::get_if<SocketResource>(&resource.is)) {
		peer = socket->peer ? &*socket->peer : nullptr;
	} else if (const auto *pipe = std::get_if<PipeResource>(&resource.is)) {
		peer = pipe->peer ? &*pipe->peer : nullptr;
	} else if (const auto *file = std::get_if<FileResource>(&resource.is)) {
		peer = file->holder ? &*file->holder : file->peer ? &*file->peer : nullptr;
	} else if (const auto *process = std::get_if<ProcessResource>(&resource.is); process != nullptr && process->pid) {
		return Next{*process->pid, true};
	}
	return peer != nullptr ? std::optional(Next{peer->pid, false}) : std::nullopt;
}

bool waits_for(const ThreadView &thread, std::uint32_t pid) {
	const bool asleep = thread.state == ThreadView::State::sleeping || thread.state == ThreadView::State::disk_sleep;
	const auto next = asleep && thread.resource ? next_of(*thread.resource) : std::nullopt;
	return next && next->pid == pid;
}

// Threads of a process that is not followed, as /proc has them: no kernel stack, no native one. The main thread first.
std::vector<ThreadSnapshot> snapshot_from_outside(const process::ProcFs &proc, std::uint32_t pid, std::size_t most) {
	std::vector<ThreadSnapshot> snapshots;
	for (const process::ThreadEntry &thread : proc.threads(pid)) {
		const auto status = proc.status(thread.tid);
		const auto call = proc.syscall(pid, thread.tid);
		if (!status || !call) {
			continue;
		}
		ThreadSnapshot snapshot;
		snapshot.pid = pid;
		snapshot.tid = thread.tid;
		snapshot.thread = thread.name;
		snapshot.stopped = status->state == 'T' || status->state == 't';
		snapshot.running = call->running || status->state == 'R';
		snapshot.state = snapshot.stopped       ? ThreadView::State::stopped
		                 : snapshot.running     ? ThreadView::State::running
		                 : status->state == 'D' ? ThreadView::State::disk_sleep
		                                        : ThreadView::State::sleeping;
		snapshot.syscall = call->number;
		snapshot.args = call->args;
		if (call->number) {
			snapshot.descriptor = proc.descriptor(pid, static_cast<int>(call->args[0])); // used where the call has one there
		}
		snapshot.stack.pid = pid;
		snapshot.stack.tid = thread.tid;
		snapshot.stack.have_registers = !snapshot.running;
		snapshot.stack.registers.r[UserRegisters::stack_pointer] = call->sp;
		snapshot.stack.registers.r[UserRegisters::instruction_pointer] = call->pc;
		snapshots.push_back(std::move(snapshot));
	}
	std::stable_partition(snapshots.begin(), snapshots.end(),
	                      [&](const ThreadSnapshot &snapshot) { return snapshot.tid == pid; });
	snapshots.resize(std::min(snapshots.size(), most));
	return snapshots;
}

// Programs that write into their title what they do.
std::string title_of(const process::ProcFs &proc, std::uint32_t pid) {
	const std::vector<std::string> arguments = proc.cmdline(pid);
	constexpr std::string_view postgres = "postgres: ";
	return !arguments.empty() && arguments.front().starts_with(postgres) ? arguments.front() : std::string();
}

// Of the threads of `next` one that waits for `before`, or for the stall's process; else its main thread.
std::optional<PeerSnapshot> inspect_peer(const Next &next, std::uint32_t before, std::uint32_t stalled,
                                         const process::ProcFs &proc, Programs &programs, Inspector &inspector) {
	constexpr std::size_t max_threads = 8; // each may cost a search for the process at the other end of its socket
	std::optional<PeerSnapshot> found;
	for (const ThreadSnapshot &snapshot : snapshot_from_outside(proc, next.pid, max_threads)) {
		ThreadView view = inspector.view(snapshot, false);
		if (view.stack && view.stack->empty()) {
			view.stack.reset();
		}
		const bool for_us = waits_for(view, stalled);
		const bool waits = for_us || (before != stalled && waits_for(view, before));
		if (!found || waits) {
			const Peer peer = programs.peer(next.pid);
			found = PeerSnapshot{next.pid, peer.comm, for_us, std::move(view), peer.name, title_of(proc, next.pid), next.child};
		}
		if (waits) {
			break;
		}
	}
	return found;
}

// Who has the other end of any socket of a process, itself and its brothers left out: a backend's client.
std::optional<std::uint32_t> client_of(std::uint32_t pid, const process::ProcFs &proc, Resolver &resolver) {
	constexpr int max_fds = 64;
	std::optional<std::uint32_t> client;
	int examined = 0;
	const auto own = proc.status(pid);
	process::each_number(proc.path_of(pid, "fd"), [&](std::uint32_t fd) {
		const auto link = process::read_link(proc.path_of(pid, "fd/" + std::to_string(fd)));
		if (link && link->starts_with("socket:")) {
			const auto snapshot = proc.descriptor(pid, static_cast<int>(fd));
			const auto peer = snapshot ? resolver.peer(pid, *snapshot) : std::nullopt;
			const auto status = peer ? proc.status(peer->pid) : Result<process::ProcessStatus>(Error{});
			if (status && own && status->ppid != own->ppid && peer->pid != own->ppid) {
				client = peer->pid;
			}
		}
		return !client && ++examined < max_fds;
	});
	return client;
}

// Who probably has the row that a backend of PostgreSQL waits for: a backend of the same server that has begun a transaction and
// does nothing. Inferred; of several the one whose client is the stall's own process.
std::optional<PeerSnapshot> idle_in_transaction(const PeerSnapshot &backend, std::uint32_t stalled, const process::ProcFs &proc,
                                                Programs &programs, Resolver &resolver, Inspector &inspector) {
	const auto status = proc.status(backend.pid);
	if (!status || backend.title.find(" waiting") == std::string::npos) {
		return std::nullopt;
	}
	constexpr std::size_t max_backends = 256;
	std::optional<PeerSnapshot> found;
	const std::vector<std::uint32_t> backends = proc.children(status->ppid);
	for (std::size_t i = 0; i < std::min(backends.size(), max_backends); i++) {
		const std::uint32_t pid = backends[i];
		if (pid == backend.pid || title_of(proc, pid).find("idle in transaction") == std::string::npos) {
			continue;
		}
		const bool ours = client_of(pid, proc, resolver) == stalled;
		if (!found || ours) {
			found = inspect_peer({pid, false}, backend.pid, stalled, proc, programs, inspector);
			if (found) {
				found->waits_for_us = ours;
			}
		}
		if (ours) {
			break;
		}
	}
	return found;
}

} // namespace

bool follow_peers(Stall &stall, const process::ProcFs &proc, Programs &programs, Resolver &resolver, Inspector &inspector) {
	constexpr std::size_t max_links = 4;
	const Resource *resource = analysis::last_resource(stall);
	auto next = resource != nullptr ? next_of(*resource) : std::nullopt;
	std::uint32_t before = stall.pid;
	stall.peer.reset();
	stall.beyond.clear();
	std::vector<std::uint32_t> seen{stall.pid, static_cast<std::uint32_t>(getpid())};
	while (next && stall.beyond.size() < max_links && std::ranges::find(seen, next->pid) == seen.end()) {
		auto found = inspect_peer(*next, before, stall.pid, proc, programs, inspector);
		if (!found) {
			break;
		}
		seen.push_back(next->pid);
		before = next->pid;
		const bool asleep =
		    found->thread.state == ThreadView::State::sleeping || found->thread.state == ThreadView::State::disk_sleep;
		next = !found->waits_for_us && asleep && found->thread.resource ? next_of(*found->thread.resource) : std::nullopt;
		auto holder = idle_in_transaction(*found, stall.pid, proc, programs, resolver, inspector);
		if (stall.peer) {
			stall.beyond.push_back(std::move(*found));
		} else {
			stall.peer = std::move(found);
		}
		if (holder) {
			stall.beyond.push_back(std::move(*holder));
			break;
		}
	}
	return stall.peer.has_value();
}

bool is_forked_copy(const process::ProcFs &proc, std::uint32_t pid) {
	const auto status = proc.status(pid);
	if (!status || status->ppid <= 1) {
		return false;
	}
	const auto own = proc.exe(pid);
	const auto parents = proc.exe(status->ppid);
	const std::vector<std::string> arguments = proc.cmdline(pid);
	return own && parents && own->path == parents->path && !arguments.empty() && arguments == proc.cmdline(status->ppid);
}

} // namespace loopsnoop::inspect
