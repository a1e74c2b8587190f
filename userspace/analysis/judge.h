// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/stall.h"

namespace loopsnoop::analysis {

// Infers holders (lock_holders.h), and sets cause, culprit and gc from what the stall holds: breakdown, waits, samples. Pure.
void judge(Stall &stall);

} // namespace loopsnoop::analysis
