// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "abi/tables.h"
#include "collector/collector.h"
#include "model/python_layout.h"

namespace loopsnoop::collector {

// Model values to what the kernel's tables hold: the other direction of decode.h.
[[nodiscard]] ls_target encode_target(const FollowRequest &request);
// All but the generation, which the kernel side believes the rest by.
void encode_python(const PythonLayout &layout, std::uint64_t tstate, ls_slot_config &config);

} // namespace loopsnoop::collector
