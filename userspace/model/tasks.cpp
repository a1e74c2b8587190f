// SPDX-License-Identifier: Apache-2.0
#include "model/tasks.h"

namespace loopsnoop {

LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(WaitsFor);
LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(Task);
LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(TaskLoop);
LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(TaskSnapshot);

std::set<TaskId> parts_of_pool_waits(const TaskLoop &loop) {
	std::set<TaskId> parts;
	for (const Task &task : loop.tasks) {
		if (task.waits_for && task.waits_for->kind == WaitsForKind::pool) {
			parts.insert(task.waits_for->tasks.begin(), task.waits_for->tasks.end());
		}
	}
	return parts;
}

} // namespace loopsnoop
