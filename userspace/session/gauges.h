// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "model/gauges.h"
#include "model/tasks.h"
#include "process/procfs.h"

namespace loopsnoop::session {

// Reads what the kernel's files say of a process, and keeps the first and the last of each loop. One thread.
class Gauges {
public:
	explicit Gauges(process::ProcFs proc) : proc_(std::move(proc)) {}

	struct Seen {
		std::uint32_t pid = 0;
		std::uint32_t tid = 0;
		std::uint64_t now_ns = 0;
		const ConnectionsSnapshot *connections = nullptr; // nullptr: not known now
		const TaskLoop *tasks = nullptr;                  // nullptr: not read now; they stay as they were last known
		bool files = true;                                // read /proc, too: memory, descriptors, threads
	};
	void take(const Seen &seen);
	[[nodiscard]] std::vector<ProcessGauges> current() const;
	// Those whose tasks, connections, descriptors or memory have grown to twice as much and by a number worth a line.
	[[nodiscard]] std::vector<GaugesChange> grown() const;
	void forget(std::uint32_t pid, std::uint32_t tid) { kept_.erase({pid, tid}); }

private:
	struct Kept {
		ProcessGauges first;
		ProcessGauges last;
	};
	process::ProcFs proc_;
	std::map<std::pair<std::uint32_t, std::uint32_t>, Kept> kept_; // pid, tid
};

// The five lines where most tasks wait, those of the application first.
[[nodiscard]] std::vector<TaskPlace> busiest_places(const TaskLoop &loop);

} // namespace loopsnoop::session
