// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/stall.h"

namespace loopsnoop::summary {

enum class Length { full, brief };

// "; no other thread can end this: the process has only this one", briefly "; no other thread can end this"; empty: somebody may
// end it, or it is not known.
[[nodiscard]] std::string format_no_end(const Stall &stall, Length length = Length::full);

} // namespace loopsnoop::summary
