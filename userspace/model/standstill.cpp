// SPDX-License-Identifier: Apache-2.0
#include "model/standstill.h"

#include "model/dump.h"

namespace loopsnoop {

LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(TaskGroup);
LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(LoopInShort);
LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(Standstill);

} // namespace loopsnoop
