// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "runtimes/cpython/interpreter.h"

namespace loopsnoop::runtimes::cpython {

// A garbage collection that goes on at this moment.
struct Collection {
	std::optional<std::uint64_t> generation; // the oldest that is collected, 0 to 2; unset: not known
};

// By the collector's own variables, which any build has: names of its functions are in no stripped interpreter, as Debian's is
// one. nullopt: none goes on in any of the process's interpreters, or that cannot be read.
[[nodiscard]] std::optional<Collection> current_collection(const Interpreter::View &view);

} // namespace loopsnoop::runtimes::cpython
