// SPDX-License-Identifier: Apache-2.0
#include "model/capture.h"

namespace loopsnoop {

LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(RawStack);

} // namespace loopsnoop
