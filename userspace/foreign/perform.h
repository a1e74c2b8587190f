// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "foreign/question.h"

namespace loopsnoop::foreign {

// Does what is asked, and waits for it as long as it takes: for good, and beyond the reach of SIGKILL, when a file system does
// not answer. Never opens anything but regular files: opening a device may do something, opening a FIFO may wait, and what stands
// at a path may be changed by its owner at any moment. Thread-safe.
[[nodiscard]] Answer perform(const Question &question, std::span<std::byte> into);

using Perform = std::function<Answer(const Question &question, std::span<std::byte> into)>;

} // namespace loopsnoop::foreign
