// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "output/status_line.h"
#include "session/session_parts.h"

namespace loopsnoop::session {

// What the status line shows: differences between two moments. One thread.
class StatusMeter {
public:
	// `lost`: records that are missing by now.
	[[nodiscard]] output::Status read(SessionParts &parts, std::uint64_t lost);

private:
	std::uint64_t last_ns_ = 0;
	std::uint64_t iterations_ = 0;
	std::uint64_t busy_ = 0;
};

} // namespace loopsnoop::session
