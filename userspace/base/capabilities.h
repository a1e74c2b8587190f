// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/capability.h>

#include <initializer_list>

#include "base/result.h"

namespace loopsnoop {

// Gives up all capabilities of the calling thread but those of `kept` that it has: CAP_… of <linux/capability.h>. Other threads
// keep theirs; those it makes from now on have no more than it has. A child that was forked before is not touched either.
[[nodiscard]] Result<void> keep_capabilities(std::initializer_list<unsigned> kept);

} // namespace loopsnoop
