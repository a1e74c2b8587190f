// SPDX-License-Identifier: Apache-2.0
#include "inspect/circumstances.h"

#include <unistd.h>

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "analysis/pool_wait.h"

namespace loopsnoop::inspect {

namespace {

bool waits_for(const ThreadView &thread, std::uint32_t pid) {
	const auto *socket = thread.resource ? std::get_if<SocketResource>(&thread.resource->is) : nullptr;
	return socket != nullptr && socket->peer && socket->peer->pid == pid;
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
			snapshot.descriptor = proc.descriptor(pid, static_cast<int>(call->args[0])); // looked at where the call has one there
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

std::optional<PeerSnapshot> inspect_peer(const Stall &stall, const process::ProcFs &proc, Inspector &inspector) {
	const Peer *peer = analysis::last_peer(stall);
	if (peer == nullptr || peer->pid == stall.pid || peer->pid == static_cast<std::uint32_t>(getpid())) {
		return std::nullopt;
	}
	constexpr std::size_t max_threads = 8; // each may cost a search for the process at the other end of its socket
	std::optional<PeerSnapshot> found;
	for (const ThreadSnapshot &snapshot : snapshot_from_outside(proc, peer->pid, max_threads)) {
		ThreadView view = inspector.view(snapshot, false);
		if (view.stack && view.stack->empty()) {
			view.stack.reset();
		}
		const bool waits = waits_for(view, stall.pid);
		if (!found || waits) {
			found = PeerSnapshot{peer->pid, peer->comm, waits, std::move(view)};
		}
		if (waits) {
			break;
		}
	}
	return found;
}

} // namespace

bool add_circumstances(Stall &stall, const std::optional<analysis::ServingSigns> &signs, const process::ProcFs &proc,
                       Inspector &inspector) {
	if (analysis::is_startup(stall, signs)) {
		stall.startup = Startup{signs->listening, signs->age_ns};
	}
	stall.pool = analysis::find_pool_wait(stall);
	stall.peer = inspect_peer(stall, proc, inspector);
	return stall.startup || stall.pool || stall.peer;
}

} // namespace loopsnoop::inspect
