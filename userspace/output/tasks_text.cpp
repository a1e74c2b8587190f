// SPDX-License-Identifier: Apache-2.0
#include "output/tasks_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/duration.h"
#include "base/escape.h"
#include "output/stack_text.h"
#include "summary/number.h"
#include "summary/place.h"
#include "summary/process.h"
#include "summary/task_wait.h"

namespace loopsnoop::output {

namespace {

constexpr std::size_t max_names = 4; // of a group of tasks
constexpr std::size_t max_depth = 16;
constexpr std::size_t max_places = 5; // of a loop in short

// The tasks of one loop as a forest.
class Forest {
public:
	Forest(const TaskLoop &loop, const StallStyle &style) : loop_(loop), style_(style) {
		for (const Task &task : loop.tasks) {
			by_id_.emplace(task.id, &task);
		}
	}
	std::string text() {
		std::vector<const Task *> roots;
		for (const Task &task : loop_.tasks) {
			if (task.awaited_by.empty()) {
				roots.push_back(&task);
			}
		}
		std::string out = siblings(roots, 0);
		std::vector<const Task *> rest; // tasks that wait for each other in a circle have no root
		for (const Task &task : loop_.tasks) {
			if (!shown_.contains(task.id)) {
				rest.push_back(&task);
			}
		}
		return out + siblings(rest, 0);
	}

private:
	using Group = std::vector<const Task *>;

	// What two branches are alike in.
	const std::string &likeness(const Task &task, std::size_t depth) {
		if (const auto known = likeness_.find(task.id); known != likeness_.end()) {
			return known->second;
		}
		std::string key = fmt::format("{}|{}|", task.coroutine, name_of(task.state));
		if (task.waits_for) {
			const WaitsFor &wait = *task.waits_for;
			const bool shared = wait.kind >= WaitsForKind::lock && wait.kind <= WaitsForKind::pool;
			key += fmt::format("{}|{}|{:x}|{}", name_of(wait.kind), wait.type, shared ? wait.address : 0, wait.queued);
		}
		const auto add_frames = [&](const std::vector<SourceFrame> &frames) {
			for (const SourceFrame &frame : frames) {
				key += fmt::format("|{} {}:{}", frame.function, frame.file, frame.line.value_or(0));
			}
		};
		add_frames(task.stack);
		if (task.waits_for && task.waits_for->thread_stack) {
			add_frames(task.waits_for->thread_stack->python);
		}
		for (const Task *child : depth < max_depth ? children(task) : Group()) {
			key += "{" + likeness(*child, depth + 1) + "}";
		}
		// Deep trees would have long keys.
		return likeness_[task.id] = fmt::format("{:x}.{}", std::hash<std::string>()(key), key.size());
	}
	Group children(const Task &task) const {
		Group found;
		for (const TaskId id : task.waits_for ? task.waits_for->tasks : std::vector<TaskId>()) {
			if (const auto child = by_id_.find(id); child != by_id_.end()) {
				found.push_back(child->second);
			}
		}
		return found;
	}
	std::string siblings(const Group &tasks, std::size_t depth) {
		std::vector<Group> groups;
		std::map<std::string, std::size_t> places;
		for (const Task *task : tasks) {
			if (style_.everything) {
				groups.push_back({task});
				continue;
			}
			const auto [place, fresh] = places.try_emplace(likeness(*task, 0), groups.size());
			if (fresh) {
				groups.emplace_back();
			}
			groups[place->second].push_back(task);
		}
		std::ranges::stable_sort(groups, [](const Group &a, const Group &b) { return a.size() > b.size(); });
		std::string out;
		for (const Group &group : groups) {
			out += group_text(group, depth);
		}
		return out;
	}
	std::string group_text(const Group &group, std::size_t depth) {
		const Task &first = *group.front();
		const std::string indent(2 + 2 * depth, ' ');
		std::string head;
		if (group.size() > 1) {
			for (std::size_t i = 0; i < std::min(group.size(), max_names); ++i) {
				head += (i == 0 ? "" : ", ") + printable(group[i]->name);
			}
			head = style_.palette.strong(summary::plural(group.size(), "task")) + " (" + head +
			       (group.size() > max_names ? ", …)" : ")");
		} else {
			head = style_.palette.strong(printable(first.name));
		}
		head += first.coroutine.empty() ? "" : " " + printable(first.coroutine);
		const bool repeated = shown_.contains(first.id);
		for (const Task *task : group) {
			shown_.insert(task->id);
		}
		if (repeated || depth >= max_depth) {
			return indent + head + style_.palette.faint(", shown above") + '\n';
		}
		std::string out = indent + head + ": " + state_words(first) + '\n';
		Stack stack;
		stack.python = first.stack;
		out += stack_lines(stack, StackStyle{style_.palette, style_.everything, indent});
		if (first.waits_for && first.waits_for->thread_stack && first.waits_for->tid) {
			out += indent + "  " + style_.palette.faint(worker_words(*first.waits_for, group.size())) + '\n';
			out += stack_lines(*first.waits_for->thread_stack, StackStyle{style_.palette, style_.everything, indent + "  "});
		}
		// Where several tasks are one, so are those they await.
		Group all;
		std::set<TaskId> once;
		for (const Task *task : group) {
			for (const Task *child : children(*task)) {
				if (once.insert(child->id).second) {
					all.push_back(child);
				}
			}
		}
		return out + siblings(all, depth + 1);
	}
	static std::string worker_words(const WaitsFor &what, std::size_t tasks) {
		return fmt::format("thread {} {} makes {}:", *what.tid, printable(what.thread),
		                   tasks > 1 ? "one of the calls" : "the call");
	}
	static std::string state_words(const Task &task) {
		if (task.changed) {
			return "moved while it was read";
		}
		if (task.state == TaskState::running) {
			return "runs";
		}
		if (!task.waits_for) {
			return "what it waits for is not known";
		}
		return summary::format_task_wait(*task.waits_for) +
		       (task.state == TaskState::ready && task.waits_for->kind != WaitsForKind::ready ? ", and is ready" : "");
	}

	const TaskLoop &loop_;
	const StallStyle &style_;
	std::unordered_map<TaskId, const Task *> by_id_;
	std::unordered_map<TaskId, std::string> likeness_;
	std::set<TaskId> shown_;
};

std::string loop_head(std::uint32_t tid, const std::string &framework, const std::string &type, std::uint64_t tasks,
                      const std::optional<std::uint64_t> &ready, const StallStyle &style) {
	std::string line = style.palette.strong(tid != 0 ? fmt::format("loop of thread {}", tid) : "a loop that no thread runs");
	line += fmt::format(" ({}{}): {}", printable(framework), type.empty() ? "" : ", " + printable(type),
	                    summary::plural(tasks, "task"));
	if (ready && *ready > 0) {
		line += ", " + summary::plural(*ready, "callback") + " ready";
	}
	return line;
}

std::string loop_line(const TaskLoop &loop, const StallStyle &style) {
	std::string line = loop_head(loop.tid, loop.framework, loop.type, loop.tasks.size(), loop.ready, style);
	if (loop.next_timer_in_ns && *loop.next_timer_in_ns >= 0) {
		line += ", next timer in " + format_rounded_duration(static_cast<std::uint64_t>(*loop.next_timer_in_ns));
	}
	return line + '\n';
}

std::string notes_of(const TaskSnapshot &snapshot, const StallStyle &style) {
	std::string out;
	if (snapshot.overtaken) {
		out += style.palette.faint("  tasks began, moved or ended while they were read: some may be missing") + '\n';
	}
	if (snapshot.left_out > 0) {
		out += style.palette.faint("  left out: " + summary::plural(snapshot.left_out, "task")) + '\n';
	}
	for (const std::string &note : snapshot.notes) {
		out += style.palette.faint("  " + printable(note, shown_path_bytes)) + '\n';
	}
	return out;
}

std::size_t count_tasks(const TaskSnapshot &snapshot) {
	std::size_t count = 0;
	for (const TaskLoop &loop : snapshot.loops) {
		count += loop.tasks.size();
	}
	return count;
}

} // namespace

std::string tasks_text(const TaskSnapshot &snapshot, const StallStyle &style) {
	std::string out =
	    style.palette.strong(fmt::format("{} (pid {}): {}", summary::format_process(snapshot.name, snapshot.comm), snapshot.pid,
	                                     summary::plural(count_tasks(snapshot), "task"))) +
	    style.palette.faint(fmt::format(", {}, read in {}", printable(snapshot.started_at), format_duration(snapshot.look_ns))) +
	    '\n' + notes_of(snapshot, style);
	if (snapshot.loops.empty()) {
		out += "no loop of asyncio, Trio or gevent is in it\n";
	}
	for (const TaskLoop &loop : snapshot.loops) {
		out += '\n' + loop_line(loop, style) + Forest(loop, style).text();
	}
	return out;
}

std::string tasks_in_short(const Dump &dump, const StallStyle &style) {
	std::string out;
	for (const LoopInShort &loop : dump.loops) {
		out += loop_head(loop.tid, loop.framework, loop.type, loop.tasks, loop.ready, style) + '\n';
		if (loop.running) {
			out += fmt::format("  {} runs\n", style.palette.strong(printable(*loop.running)));
		}
		std::uint64_t shown = loop.running ? 1 : 0;
		for (std::size_t i = 0; i < loop.groups.size() && (i < max_places || style.everything); ++i) {
			const TaskGroup &group = loop.groups[i];
			const std::string who =
			    group.count > 1 || group.names.empty() ? summary::plural(group.count, "task") : printable(group.names.front());
			out += fmt::format("  {}{}: {}\n", style.palette.strong(who),
			                   group.culprit ? " in " + summary::format_frame(*group.culprit) : "",
			                   group.waits_for ? summary::format_task_wait(*group.waits_for) : "what it waits for is not known");
			shown += group.count;
		}
		if (shown < loop.tasks) {
			out += "  " +
			       style.palette.faint(fmt::format("{} more; `loopsnoop tasks -p {}` shows them all",
			                                       summary::plural(loop.tasks - shown, "task"), dump.pid)) +
			       '\n';
		}
	}
	return out;
}

} // namespace loopsnoop::output
