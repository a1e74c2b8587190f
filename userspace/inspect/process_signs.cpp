// SPDX-License-Identifier: Apache-2.0
#include "inspect/process_signs.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <ctime>
#include <string_view>
#include <utility>
#include <vector>

#include "process/serving_sockets.h"

namespace loopsnoop::inspect {

namespace {

constexpr std::uint64_t ns_per_s = 1'000'000'000;

// Since it was forked, to within a tick (10 ms).
std::optional<std::uint64_t> process_age_ns(const process::ProcFs &proc, std::uint32_t pid) {
	const auto status = proc.status(pid);
	timespec now{};
	const long ticks = sysconf(_SC_CLK_TCK);
	if (!status || ticks <= 0 || clock_gettime(CLOCK_BOOTTIME, &now) != 0) {
		return std::nullopt;
	}
	const std::uint64_t now_ns = static_cast<std::uint64_t>(now.tv_sec) * ns_per_s + static_cast<std::uint64_t>(now.tv_nsec);
	const std::uint64_t began_ns = status->start_time_ticks * (ns_per_s / static_cast<std::uint64_t>(ticks));
	return now_ns > began_ns ? now_ns - began_ns : 0;
}

// Files of frameworks that are loaded for nothing but an event loop: asyncio's, uvloop's, gevent's, and libraries of C.
bool has_framework(const process::ProcFs &proc, std::uint32_t pid) {
	constexpr std::array<std::string_view, 7> frameworks{"/_asyncio.", "/uvloop/",   "/gevent/",       "/libuv.so",
	                                                     "/libev.so",  "/libevent-", "/libevent_core-"};
	const auto maps = proc.maps(pid);
	return maps && std::ranges::any_of(*maps, [&](const process::Mapping &mapping) {
		       return std::ranges::any_of(frameworks,
		                                  [&](std::string_view name) { return mapping.path.find(name) != std::string::npos; });
	       });
}

} // namespace

bool has_workers(const process::ProcFs &proc, std::uint32_t pid) {
	constexpr std::size_t max_examined = 64;
	std::vector<std::uint32_t> parents{pid};
	for (std::size_t examined = 0; !parents.empty() && examined < max_examined;) {
		const std::uint32_t parent = parents.back();
		parents.pop_back();
		for (const std::uint32_t child : proc.children(parent)) {
			const auto sockets = process::serving_sockets(proc, child);
			if (sockets && (sockets->event_queue || !sockets->listening.empty())) {
				return true;
			}
			parents.push_back(child);
			if (++examined >= max_examined) {
				break;
			}
		}
	}
	return false;
}

ProcessSigns read_signs(const process::ProcFs &proc, std::uint32_t pid, RuntimeKind runtime, bool from_beginning) {
	ProcessSigns signs;
	const auto sockets = process::serving_sockets(proc, pid);
	const auto age = process_age_ns(proc, pid);
	if (!sockets || !age) {
		return signs;
	}
	// Node makes its event queue before it reads the first line of any program.
	const bool event_queue = sockets->event_queue && runtime != RuntimeKind::node;
	signs.shape.will_serve = !sockets->listening.empty() || event_queue || has_framework(proc, pid);
	signs.shape.has_workers = !sockets->event_queue && has_workers(proc, pid);
	analysis::ServingSigns serving;
	serving.listening = sockets->listening;
	serving.accepted = sockets->accepted;
	serving.watched = std::ranges::any_of(sockets->queues, &process::EventQueue::serves);
	serving.will_serve = signs.shape.will_serve;
	serving.from_beginning = from_beginning;
	serving.age_ns = *age;
	signs.serving = std::move(serving);
	return signs;
}

} // namespace loopsnoop::inspect
