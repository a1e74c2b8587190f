// SPDX-License-Identifier: Apache-2.0
#include "model/tasks.h"

namespace loopsnoop {

LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(WaitsFor);
LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(Task);
LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(TaskLoop);
LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(TaskSnapshot);

} // namespace loopsnoop
