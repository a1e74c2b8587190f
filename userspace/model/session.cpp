// SPDX-License-Identifier: Apache-2.0
#include "model/session.h"

namespace loopsnoop {

LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(ProcessLife);
LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(Restarts);
LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(SessionSummary);

} // namespace loopsnoop
