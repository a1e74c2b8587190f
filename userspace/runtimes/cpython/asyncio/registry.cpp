// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/asyncio/registry.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

namespace loopsnoop::runtimes::cpython::asyncio {

namespace {

constexpr std::size_t max_modules = 65'536;
constexpr std::uint64_t module_dict = 16; // PyModuleObject.md_dict, Include/internal/pycore_moduleobject.h

class ListReading {
public:
	ListReading(ObjectReader &reader, const PageCache *cache, std::uint8_t minor, const std::optional<DebugSection> &debug)
	    : reader_(reader), cache_(cache), minor_(minor), debug_(debug) {}

	void read_modules(std::uint64_t interpreter);
	void read_current(std::uint64_t dict);
	void read_lists(std::uint64_t runtime);
	void read_loops(std::uint64_t runtime);
	Registry take() { return std::move(registry_); }

private:
	void add(std::uint64_t object);
	void add_all(std::uint64_t container);
	void read_list(std::uint64_t head);
	[[nodiscard]] std::uint64_t loop_in_dict(std::uint64_t dict);

	ObjectReader &reader_;
	const PageCache *cache_; // nullptr: tasks are not asked for
	std::uint8_t minor_;
	const std::optional<DebugSection> &debug_;
	Registry registry_;
	std::unordered_set<std::uint64_t> seen_;
	std::vector<DictEntry> current_; // {loop: task}
};

void ListReading::add(std::uint64_t object) {
	if (!is_c_task(reader_, object) && !is_python_task(reader_, object)) {
		return;
	}
	if (registry_.tasks.size() >= max_tasks) {
		registry_.left_out++;
	} else if (seen_.insert(object).second) {
		registry_.tasks.push_back(object);
	}
}

void ListReading::add_all(std::uint64_t container) {
	const auto data = reader_.type_name(container) == "WeakSet" ? reader_.attribute(container, "data") : std::optional(container);
	const auto used = data ? reader_.size(*data) : std::nullopt;
	if (!used) {
		return;
	}
	const auto objects = reader_.items(container, max_tasks);
	cache_->prefetch(objects, task_bytes);
	for (const std::uint64_t object : objects) {
		add(object);
	}
	// The set is read at one moment, as far as one read is one: it is another one now?
	const auto used_now = cache_->now().read_value<std::uint64_t>(*data + reader_.offsets().containers.set_used);
	registry_.overtaken = registry_.overtaken || used_now != used;
}

void ListReading::read_current(std::uint64_t dict) {
	const auto current = reader_.entries(dict, 4096);
	current_.insert(current_.end(), current.begin(), current.end());
}

void ListReading::read_modules(std::uint64_t interpreter) {
	const auto tasks =
	    reader_.value(reader_.word(interpreter + reader_.offsets().interpreter.modules), "asyncio.tasks", max_modules);
	if (!tasks || !reader_.is_a(*tasks, "module")) {
		return;
	}
	registry_.imported = true;
	for (const DictEntry &entry : reader_.entries(reader_.word(*tasks + module_dict), 4096)) {
		const auto name = reader_.text(entry.key, 32);
		if (name == "_all_tasks" || name == "_scheduled_tasks" || name == "_eager_tasks") {
			add_all(entry.value);
		} else if (name == "_current_tasks") {
			read_current(entry.value);
		}
	}
}

void ListReading::read_list(std::uint64_t head) {
	struct Node {
		std::uint64_t next = 0;
		std::uint64_t previous = 0;
	};
	const auto first = reader_.memory().read_value<Node>(head);
	if (!first || first->next == 0) {
		return; // not initialised
	}
	std::uint64_t before = head;
	std::uint64_t at = first->next;
	for (std::size_t step = 0; at != head && step < max_tasks; ++step) {
		const auto node = reader_.memory().read_value<Node>(at);
		const std::uint64_t task = at - debug_->task_node;
		if (!node || !is_c_task(reader_, task)) {
			registry_.overtaken = true; // it was taken out while we were on our way to it
			return;
		}
		registry_.overtaken = registry_.overtaken || node->previous != before;
		add(task);
		before = at;
		at = node->next;
	}
}

void ListReading::read_lists(std::uint64_t runtime) {
	if (minor_ < 14 || !debug_) {
		registry_.unknown = minor_ >= 14;
		return;
	}
	for (const std::uint64_t interpreter : walk_interpreters(reader_.memory(), reader_.offsets(), runtime)) {
		read_list(interpreter + debug_->interpreter_tasks_head);
	}
	for (const ThreadState &thread : walk_threads(reader_.memory(), reader_.offsets(), runtime)) {
		read_list(thread.address + debug_->thread_tasks_head);
	}
}

// 3.9 to 3.11: a holder whose first member is the loop; 3.12: the loop (Modules/_asynciomodule.c, set_running_loop).
std::uint64_t ListReading::loop_in_dict(std::uint64_t dict) {
	const std::uint64_t value = reader_.value(dict, "__asyncio_running_event_loop__", 4096).value_or(0);
	const bool holder = reader_.type_name(value) == "_RunningLoopHolder";
	return holder ? reader_.word(value + after_head) : value;
}

void ListReading::read_loops(std::uint64_t runtime) {
	const Offsets &offsets = reader_.offsets();
	for (const ThreadState &thread : walk_threads(reader_.memory(), offsets, runtime)) {
		RunningLoop running{thread, 0, 0};
		if (minor_ >= 14) {
			running.loop = debug_ ? reader_.word(thread.address + debug_->thread_running_loop) : 0;
			running.task = debug_ ? reader_.word(thread.address + debug_->thread_running_task) : 0;
		} else if (offsets.thread.running_loop != 0) {
			running.loop = reader_.word(thread.address + offsets.thread.running_loop);
		} else {
			running.loop = loop_in_dict(reader_.word(thread.address + offsets.thread.dict));
		}
		if (reader_.type_name(running.loop).empty() || reader_.is_none(running.loop)) {
			continue;
		}
		const auto current = std::ranges::find(current_, running.loop, &DictEntry::key);
		if (running.task == 0 && current != current_.end()) {
			running.task = current->value;
		}
		if (!is_c_task(reader_, running.task) && !is_python_task(reader_, running.task)) {
			running.task = 0;
		}
		registry_.loops.push_back(running);
	}
}

} // namespace

bool is_c_task(ObjectReader &reader, std::uint64_t object) { return reader.is_a(object, "_asyncio.Task"); }

bool is_python_task(ObjectReader &reader, std::uint64_t object) {
	return reader.is_a(object, "Task") && reader.attribute(object, "_coro") && reader.attribute(object, "_callbacks");
}

Registry read_registry(ObjectReader &reader, const PageCache &cache, std::uint64_t runtime, std::uint8_t minor,
                       const std::optional<DebugSection> &debug) {
	ListReading reading(reader, &cache, minor, debug);
	for (const std::uint64_t interpreter : walk_interpreters(reader.memory(), reader.offsets(), runtime)) {
		reading.read_modules(interpreter);
	}
	reading.read_lists(runtime);
	reading.read_loops(runtime);
	return reading.take();
}

std::vector<std::uint64_t> find_current_tasks(ObjectReader &reader, const PageCache &cache, std::uint64_t runtime) {
	constexpr std::size_t of_name = 80; // a str's head, and a module's name
	std::vector<std::uint64_t> found;
	for (const std::uint64_t interpreter : walk_interpreters(reader.memory(), reader.offsets(), runtime)) {
		const std::uint64_t modules = reader.word(interpreter + reader.offsets().interpreter.modules);
		std::vector<std::uint64_t> names;
		for (const DictEntry &entry : reader.entries(modules, max_modules)) {
			names.push_back(entry.key);
		}
		cache.prefetch(names, of_name);
		const auto tasks = reader.value(modules, "asyncio.tasks", max_modules);
		if (!tasks || !reader.is_a(*tasks, "module")) {
			continue;
		}
		const auto current = reader.value(reader.word(*tasks + module_dict), "_current_tasks", 4096);
		if (current && reader.is_a(*current, "dict")) {
			found.push_back(*current);
		}
	}
	return found;
}

Registry read_running(ObjectReader &reader, std::uint64_t runtime, std::uint8_t minor, const std::optional<DebugSection> &debug,
                      std::span<const std::uint64_t> current_tasks) {
	ListReading reading(reader, nullptr, minor, debug);
	for (const std::uint64_t dict : current_tasks) {
		if (reader.is_a(dict, "dict")) { // still
			reading.read_current(dict);
		}
	}
	reading.read_loops(runtime);
	return reading.take();
}

} // namespace loopsnoop::runtimes::cpython::asyncio
