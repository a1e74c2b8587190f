// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/stall.h"

namespace loopsnoop::analysis {

// Infers holders (analysis/waker_words.h), and fills cause, culprit, summary and advice from what the stall holds: breakdown,
// waits, samples. Pure.
void tell_story(Stall &stall);

// What a wait waits for, in words: "waiting for an answer from 127.0.0.1:5432 (postgres, pid 812)".
[[nodiscard]] std::string describe_wait(const Wait &wait);

} // namespace loopsnoop::analysis
