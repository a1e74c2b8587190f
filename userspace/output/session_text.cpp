// SPDX-License-Identifier: Apache-2.0
#include "output/session_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "base/duration.h"
#include "base/escape.h"
#include "summary/number.h"
#include "summary/place.h"
#include "summary/process.h"
#include "summary/standstill_summary.h"

namespace loopsnoop::output {

namespace {

std::string some_pids(const NotFollowed &one) {
	constexpr std::size_t max_named = 3;
	std::string pids;
	for (std::size_t i = 0; i < one.children.size() && i < max_named; i++) {
		pids += fmt::format("{}{}", i > 0 ? ", " : "", one.children[i]);
	}
	return pids + (one.children.size() > max_named ? ", …" : "");
}

} // namespace

namespace {

std::string format_native(const std::string &language) {
	if (language == go_language) {
		return "Go, whose threads are no loops: those in calls that block are reported, goroutines that wait are not seen";
	}
	return language.empty() ? "native code" : printable(language) + ", whose own lines cannot be read";
}

} // namespace

std::string format_loop(const LoopFound &loop) {
	std::string text = fmt::format("following {} (pid {})", summary::format_process(loop.name, loop.comm), loop.pid);
	if (loop.tid != loop.pid) {
		text += fmt::format(", thread {} (tid {})", printable(loop.thread), loop.tid);
	}
	switch (loop.runtime.kind) {
	case RuntimeKind::cpython: text += ": CPython"; break;
	case RuntimeKind::node: text += ": Node.js"; break;
	case RuntimeKind::native: text += ": " + format_native(loop.runtime.language); break;
	}
	if (loop.runtime.version) {
		text += ' ' + printable(*loop.runtime.version);
	}
	if (!loop.poll) {
		return text + ", not seen polling yet";
	}
	text += fmt::format(", loop on {}", printable(loop.poll->syscall));
	if (loop.poll->fd) {
		text += fmt::format(" of fd {}", *loop.poll->fd);
	}
	return text;
}

std::string format_not_followed(const NotFollowed &one) {
	const bool single = one.children.size() == 1;
	return fmt::format("{} of {} (pid {}) with {} of {} own (pid {}); --children follows {}, too",
	                   single ? "a child" : fmt::format("{} children", one.children.size()),
	                   summary::format_process({{}, one.service}, one.comm), one.parent,
	                   single ? "an event queue" : "event queues", single ? "its" : "their", some_pids(one),
	                   single ? "it" : "them");
}

std::string format_workers(const NotFollowed &one) {
	const bool single = one.children.size() == 1;
	return fmt::format("{} (pid {}) has its work done by {} (pid {}): followed, too, as with --children",
	                   summary::format_process({{}, one.service}, one.comm), one.parent,
	                   single ? "a process below it" : fmt::format("{} processes below it", one.children.size()), some_pids(one));
}

std::string format_waited_for(const WaitedFor &one) {
	std::string text = fmt::format("as the session ends, of {} (pid {}): {}; loopsnoop {} -p {} shows ",
	                               summary::format_process({{}, one.service}, one.comm), one.pid,
	                               summary::format_clients(one.clients), one.has_tasks ? "tasks" : "dump", one.pid);
	if (!one.has_tasks) {
		return text + "what its threads do";
	}
	return text + (one.tasks ? fmt::format("where its {} wait", summary::plural(*one.tasks, "task")) : "where its tasks wait");
}

std::string format_growth(const GaugesChange &change) {
	std::string text;
	const auto add = [&](std::string_view what, const std::optional<std::uint64_t> &first,
	                     const std::optional<std::uint64_t> &last, const std::vector<RemoteCount> &remotes = {},
	                     std::string_view side = {}) {
		if (!first || !last || *last < 2 * *first || *last <= *first) {
			return;
		}
		text +=
		    fmt::format("{}{} {} → {}", text.empty() ? "" : ", ", what, summary::thousands(*first), summary::thousands(*last));
		if (!remotes.empty() && 2 * remotes.front().count >= *last) { // most of them
			text +=
			    fmt::format(" ({} {} {})", summary::thousands(remotes.front().count), side, printable(remotes.front().remote));
		}
	};
	const auto mebibytes = [](const std::optional<std::uint64_t> &bytes) {
		return bytes ? std::optional<std::uint64_t>(*bytes >> 20U) : std::nullopt;
	};
	add("tasks", change.first.tasks, change.last.tasks);
	add("connections in", change.first.inbound, change.last.inbound, change.last.inbound_from, "from");
	add("connections out", change.first.outbound, change.last.outbound, change.last.outbound_to, "to");
	add("descriptors", change.first.descriptors, change.last.descriptors);
	add("MiB resident", mebibytes(change.first.resident_bytes), mebibytes(change.last.resident_bytes));
	text += " in " + format_duration(change.last.time_ns - std::min(change.last.time_ns, change.first.time_ns));
	if (!change.last.places.empty()) {
		const TaskPlace &place = change.last.places.front();
		text += fmt::format(", {} of the tasks in {}", summary::thousands(place.count), summary::format_frame(place.line));
	}
	return fmt::format("grown in {} (pid {}): {}", summary::format_process({{}, change.service}, change.comm), change.last.pid,
	                   text);
}

} // namespace loopsnoop::output
