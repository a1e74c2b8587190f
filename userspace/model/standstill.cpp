// SPDX-License-Identifier: Apache-2.0
#include "model/standstill.h"

namespace loopsnoop {

LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(TaskGroup);
LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(Standstill);

} // namespace loopsnoop
