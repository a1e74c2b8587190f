// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "process/memory.h"
#include "runtimes/cpython/offsets.h"

namespace loopsnoop::runtimes::cpython {

// What an instance of a class written in Python has under a name in its __dict__, where CPython keeps that: the address of the
// object. Slots, properties and attributes of the class are not read. nullopt: there is none, or it could not be read (the
// target runs on: tables move).
[[nodiscard]] std::optional<std::uint64_t> read_attribute(const process::Memory &memory, const Offsets &offsets,
                                                          std::uint64_t object, std::string_view name);

struct DictEntry {
	std::uint64_t key = 0;
	std::uint64_t value = 0;
};
// What is in a dict, in its order. Empty: nothing, more than `most` entries, or it could not be read.
[[nodiscard]] std::vector<DictEntry> read_dict(const process::Memory &memory, const Offsets &offsets, std::uint64_t dict,
                                               std::size_t most);

// An int from 0 to 2^60 - 1. nullopt: another object, None say, or another number.
[[nodiscard]] std::optional<std::uint64_t> read_small_int(const process::Memory &memory, const Offsets &offsets,
                                                          std::uint64_t object);

} // namespace loopsnoop::runtimes::cpython
