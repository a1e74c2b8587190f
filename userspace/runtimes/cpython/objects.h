// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "process/memory.h"
#include "runtimes/cpython/offsets.h"

namespace loopsnoop::runtimes::cpython {

// The text of a str object, as UTF-8, its first `max_characters` characters. What Python's surrogateescape made of bytes of a
// file name becomes these bytes again; other surrogates and impossible characters become U+FFFD. nullopt: not a str as they
// occur in code objects (compact).
[[nodiscard]] std::optional<std::string> read_unicode(const process::Memory &memory, const Offsets &offsets,
                                                      std::uint64_t address, std::size_t max_characters);

// A bytes object's bytes. nullopt: cannot be read, or longer than `max_bytes`.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> read_bytes(const process::Memory &memory, const Offsets &offsets,
                                                                  std::uint64_t address, std::size_t max_bytes);

} // namespace loopsnoop::runtimes::cpython
