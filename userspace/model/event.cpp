// SPDX-License-Identifier: Apache-2.0
#include "model/event.h"

namespace loopsnoop {

LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(WaitTarget);
LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(RawWait);
LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(RawWaker);
LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(RawSample);

} // namespace loopsnoop
