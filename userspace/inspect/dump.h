// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "model/dump.h"
#include "model/settings.h"

namespace loopsnoop::inspect {

struct DumpSettings {
	std::uint32_t pid = 0;
	std::uint32_t stack_bytes = Settings::default_stack_bytes; // of user stack read of each thread
};

// A snapshot of every thread of a process, whatever it is doing; no hook is attached, the process is not stopped. The Error is
// one line for a person.
[[nodiscard]] Result<Dump> dump(const DumpSettings &settings);

} // namespace loopsnoop::inspect
