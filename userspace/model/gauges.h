// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/connections.h"
#include "model/stack.h"

namespace loopsnoop {

// Where many tasks stand.
struct TaskPlace {
	SourceFrame line; // the application's; else the innermost
	std::uint64_t count = 0;
};

// What fills up for a while before a process freezes, as it was at one moment; about once a minute. Unset: not known.
struct ProcessGauges {
	std::uint32_t pid = 0;
	std::uint32_t tid = 0; // of the loop
	std::uint64_t time_ns = 0;
	std::optional<std::uint64_t> unanswered; // connections
	std::optional<std::uint64_t> oldest_unanswered_ns;
	std::optional<std::uint64_t> not_accepted; // connections
	std::optional<std::uint64_t> inbound;
	std::optional<std::uint64_t> outbound;
	std::vector<RemoteCount> inbound_from; // addresses without ports, most first
	std::vector<RemoteCount> outbound_to;  // likewise, with ports
	std::optional<std::uint64_t> tasks;
	std::vector<TaskPlace> places; // the five where most wait, most first
	std::optional<std::uint64_t> resident_bytes;
	std::optional<std::uint64_t> descriptors;
	std::optional<std::uint64_t> threads;
};

// How a loop's process has changed in the course of a session.
struct GaugesChange {
	std::string comm;
	ProcessGauges first;
	ProcessGauges last;
	std::string service = {};
};

} // namespace loopsnoop
