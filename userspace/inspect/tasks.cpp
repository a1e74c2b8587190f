// SPDX-License-Identifier: Apache-2.0
#include "inspect/tasks.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "base/clock.h"
#include "process/process_name.h"
#include "process/resource_of.h"
#include "process/target_check.h"
#include "runtimes/cpython/garbage.h"
#include "runtimes/detect.h"

namespace loopsnoop::inspect {

using runtimes::cpython::Interpreter;
using runtimes::cpython::asyncio::Greenlets;
using runtimes::cpython::asyncio::TaskReader;

TaskReader &TaskInspector::reader(std::uint32_t pid) { return readers_.try_emplace(pid, proc_, pid).first->second; }

PythonSample TaskInspector::sample(std::uint32_t pid, std::uint32_t tid, Interpreter &python, Wanted wanted) {
	PythonSample sample;
	sample.runs = wanted.runs;
	sample.asked = wanted.task;
	if (wanted.runs) {
		const auto collection = runtimes::cpython::current_collection(python.view());
		sample.collecting = collection.has_value();
		sample.generation = collection ? collection->generation : std::nullopt;
	}
	if (!wanted.task) {
		return sample;
	}
	auto step = reader(pid).step(python, tid);
	sample.queued_callbacks = std::move(step.queued_callbacks);
	if (step.task) {
		sample.task = StallTask{step.task->id, std::move(step.task->name), std::move(step.task->coroutine)};
	}
	return sample;
}

std::optional<Resource> TaskInspector::descriptor(std::uint32_t pid, int fd) {
	const auto snapshot = proc_.descriptor(pid, fd);
	if (!snapshot) {
		return std::nullopt;
	}
	Resource resource = process::to_resource(*snapshot);
	if (auto *socket = std::get_if<SocketResource>(&resource.is)) {
		const auto found = peers_.find(pid, *snapshot);
		socket->peer = found ? std::optional(programs_.peer(found->pid)) : std::nullopt;
	}
	return resource;
}

void TaskInspector::name_resources(TaskSnapshot &snapshot) {
	constexpr std::size_t max_descriptors = 256; // each is searched for in the kernel's tables of sockets
	constexpr std::uint64_t enough_ns = 500'000'000;
	const std::uint64_t begin_ns = monotonic_ns();
	std::map<int, std::optional<Resource>> known;
	for (TaskLoop &loop : snapshot.loops) {
		for (Task &task : loop.tasks) {
			if (!task.waits_for || !task.waits_for->resource) {
				continue;
			}
			Resource &resource = *task.waits_for->resource;
			if (auto *child = std::get_if<ProcessResource>(&resource.is); child != nullptr && child->pid) {
				const Peer peer = programs_.peer(*child->pid);
				child->comm = peer.comm;
				child->name = peer.name;
			}
			const auto *socket = std::get_if<SocketResource>(&resource.is);
			if (socket == nullptr || !socket->fd) {
				continue;
			}
			const int fd = *socket->fd;
			if (!known.contains(fd) && known.size() < max_descriptors && monotonic_ns() - begin_ns < enough_ns) {
				known[fd] = descriptor(snapshot.pid, fd);
			}
			const auto found = known.find(fd);
			if (found != known.end() && found->second && std::holds_alternative<SocketResource>(found->second->is)) {
				resource = *found->second;
			} else if (found != known.end()) {
				task.waits_for->resource.reset(); // it is none any more
			}
		}
	}
}

TaskSnapshot TaskInspector::snapshot(std::uint32_t pid, Interpreter &python, Greenlets greenlets, Care care) {
	TaskSnapshot snapshot;
	snapshot.pid = pid;
	snapshot.comm = proc_.comm(pid);
	snapshot.start_ns = monotonic_ns();
	snapshot.started_at = rfc3339_utc(realtime_ns());
	constexpr std::size_t enough_waits = 1000;
	reader(pid).read(python, snapshot, greenlets, care == Care::everything ? ~std::size_t{0} : enough_waits);
	snapshot.look_ns = monotonic_ns() - snapshot.start_ns;
	std::ranges::stable_sort(snapshot.loops, {}, [&](const TaskLoop &loop) { return loop.tid != pid; });
	if (care == Care::everything) {
		name_resources(snapshot);
	}
	return snapshot;
}

Result<TaskSnapshot> read_tasks_of(std::uint32_t pid) {
	const process::ProcFs proc;
	const auto status = process::check_target(proc, pid, "read the tasks of");
	if (!status) {
		return status.error();
	}
	auto python = Interpreter::find(proc, pid);
	if (!python) {
		const Runtime runtime = runtimes::detect(proc, pid);
		const std::string version = runtime.version ? " " + *runtime.version : "";
		switch (runtime.kind) {
		case RuntimeKind::cpython:
			return make_error("read the tasks of", "pid " + std::to_string(pid),
			                  "its CPython" + version + " cannot be read: only " +
			                      std::string(runtimes::cpython::supported_versions) + " with a GIL, once it has begun");
		case RuntimeKind::node:
			return make_error("read the tasks of", "pid " + std::to_string(pid),
			                  "it runs Node" + version + ", which keeps no list of what awaits what; dump shows its threads");
		case RuntimeKind::native: break;
		}
		return make_error("read the tasks of", "pid " + std::to_string(pid), "no CPython is found in it; dump shows its threads");
	}
	Programs programs(proc);
	TaskInspector inspector(proc, programs);
	TaskSnapshot snapshot = inspector.snapshot(pid, *python, Greenlets::too);
	snapshot.name = process::name_of(process::program_facts(proc, pid));
	return snapshot;
}

} // namespace loopsnoop::inspect
