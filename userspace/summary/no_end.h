// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/stall.h"

namespace loopsnoop::summary {

enum class Length { full, brief };

// "; no other thread can end this: the process has only this one", briefly "; no other thread can end this"; empty: somebody may
// end it, or it is not known.
[[nodiscard]] std::string format_no_end(const Stall &stall, Length length = Length::full);

// "; no thread takes from it", of a full queue that something is to be put into while all other threads wait for work or in an
// epoll call; else empty.
[[nodiscard]] std::string format_takers(const Stall &stall);

} // namespace loopsnoop::summary
