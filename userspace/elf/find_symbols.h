// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "elf/image.h"

namespace loopsnoop::elf {

enum class Tables : std::uint8_t { dynamic, all };

// Addresses as linked, in the order of `names`; 0 for those that are not defined. From .dynsym, with `all` then from .symtab,
// which may be large. Tables are read in pieces and never held: a table takes 128 KiB whatever it claims to have.
//
// Bounds: 64 MiB of names and 4 million symbols a table (a node binary has 200,000), and the WorkLimit in force.
[[nodiscard]] std::vector<std::uint64_t> find_symbols(const Image &image, std::span<const std::string_view> names, Tables tables);

} // namespace loopsnoop::elf
