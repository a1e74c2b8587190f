// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/settings.h"
#include "session/follow.h"

namespace loopsnoop::cli {

// Of a session that ended as it should: the command's, where that is not 0; 3 with --fail-on-stall when a stall was reported.
[[nodiscard]] int exit_status(const Settings &settings, const session::FollowEnd &end);

} // namespace loopsnoop::cli
