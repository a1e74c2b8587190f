// SPDX-License-Identifier: Apache-2.0
#include "model/resource.h"

namespace loopsnoop {

LOOPSNOOP_DEFINE_SPECIAL_MEMBERS(Resource);

} // namespace loopsnoop
