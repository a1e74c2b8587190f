// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "model/tasks.h"

namespace loopsnoop::test {

// The interpreters of scripts/fetch-pythons whose tasks are read.
inline const std::vector<std::string> pythons{"bullseye", "bookworm", "trixie", "sid", "sid:3.15"};

// For messages of tests.
inline std::string text_of(const Task &task) {
	std::ostringstream text;
	text << "\n  " << task.name << " " << name_of(task.state) << " " << task.coroutine << (task.changed ? " changed" : "");
	if (task.waits_for) {
		const WaitsFor &wait = *task.waits_for;
		text << " waits for " << name_of(wait.kind) << " '" << wait.type << "' waiters "
		     << (wait.waiters ? std::to_string(*wait.waiters) : "-") << " ends "
		     << (wait.ends_in_ns ? std::to_string(*wait.ends_in_ns) : "-") << " tid "
		     << (wait.tid ? std::to_string(*wait.tid) : "-") << " tasks " << wait.tasks.size() << " holders "
		     << wait.holders.size() << (wait.queued ? " queued" : "");
	}
	for (const SourceFrame &frame : task.stack) {
		text << "\n      " << frame.function << " " << frame.file << ":" << frame.line.value_or(-1);
	}
	return text.str();
}

inline std::string text_of(const TaskSnapshot &snapshot) {
	std::ostringstream text;
	for (const std::string &note : snapshot.notes) {
		text << "\nnote: " << note;
	}
	for (const TaskLoop &loop : snapshot.loops) {
		text << "\nloop of " << loop.tid << " " << loop.type << ", " << loop.tasks.size() << " tasks, ready "
		     << (loop.ready ? std::to_string(*loop.ready) : "-") << ", timers "
		     << (loop.timers ? std::to_string(*loop.timers) : "-") << ", next in "
		     << (loop.next_timer_in_ns ? std::to_string(*loop.next_timer_in_ns) : "-");
		for (const Task &task : loop.tasks) {
			text << text_of(task);
		}
	}
	return text.str();
}

} // namespace loopsnoop::test
