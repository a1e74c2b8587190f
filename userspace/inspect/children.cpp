// SPDX-License-Identifier: Apache-2.0
#include "inspect/children.h"

namespace loopsnoop::inspect {

namespace {

constexpr std::size_t max_children = 256;
constexpr std::uint64_t remembered_ns = 60'000'000'000;
constexpr std::uint64_t settling_ns = 1'000'000'000; // by then it has become the program it was forked for

} // namespace

void Children::forked(std::uint32_t parent, std::uint32_t child, std::uint64_t now_ns) {
	if (children_.size() >= max_children) {
		std::erase_if(children_, [](const auto &entry) { return entry.second.gone; });
	}
	if (children_.size() < max_children) {
		const auto status = proc_.status(child);
		const std::uint32_t inner = status && !status->nspids.empty() ? status->nspids.back() : 0;
		children_[child] = {proc_.comm(child), parent, inner, status ? status->start_time_ticks : 0, now_ns, false};
	}
}

// Its pid may be another's by now.
bool Children::is_running(std::uint32_t pid, const Child &child) const {
	const auto status = proc_.status(pid);
	return status && (child.start_ticks == 0 || status->start_time_ticks == child.start_ticks);
}

void Children::refresh(std::uint64_t now_ns) {
	for (auto &[pid, child] : children_) {
		if (child.gone || now_ns - child.forked_ns > settling_ns) {
			continue;
		}
		std::string comm = proc_.comm(pid);
		if (comm.empty() || !is_running(pid, child)) {
			child.gone = true;
		} else {
			child.comm = std::move(comm);
		}
	}
	if (now_ns < next_forgetting_ns_) {
		return;
	}
	next_forgetting_ns_ = now_ns + settling_ns;
	std::erase_if(children_, [&](const auto &entry) {
		return now_ns - entry.second.forked_ns > remembered_ns && (entry.second.gone || !is_running(entry.first, entry.second));
	});
}

std::optional<std::uint32_t> Children::outer_pid(std::uint32_t parent, std::uint32_t inner) const {
	const auto status = proc_.status(parent);
	if (!status || status->nspids.size() <= 1) {
		return inner; // the same namespace as ours
	}
	for (const auto &[pid, child] : children_) {
		if (child.parent == parent && child.inner_pid == inner) {
			return pid;
		}
	}
	for (const std::uint32_t pid : proc_.children(parent)) {
		const auto child = proc_.status(pid);
		if (child && !child->nspids.empty() && child->nspids.back() == inner) {
			return pid;
		}
	}
	return std::nullopt;
}

std::optional<std::string> Children::comm(std::uint32_t child) const {
	const auto known = children_.find(child);
	if (known != children_.end() && !known->second.comm.empty()) {
		return known->second.comm;
	}
	std::string comm = proc_.comm(child);
	if (comm.empty()) {
		return std::nullopt;
	}
	return comm;
}

} // namespace loopsnoop::inspect
