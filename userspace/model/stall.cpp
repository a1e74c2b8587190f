// SPDX-License-Identifier: Apache-2.0
#include "model/stall.h"

namespace loopsnoop {

LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(Wait);
LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(ThreadView);
LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(Stall);

} // namespace loopsnoop
