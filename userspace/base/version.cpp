// SPDX-License-Identifier: Apache-2.0
#include "base/version.h"

namespace loopsnoop {

std::string_view version() { return LOOPSNOOP_VERSION; }

} // namespace loopsnoop
