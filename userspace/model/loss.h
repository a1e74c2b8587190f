// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace loopsnoop {

// What can be lost, on either side of the ring buffer. Every kind is counted and shown.
enum class Loss : std::uint8_t {
#define LS_LOSS(name, words) name,
#include "abi/losses.def"
#undef LS_LOSS
};

struct LossText {
	std::string_view name;
	std::string_view words;
};

inline constexpr std::array loss_texts{
#define LS_LOSS(name, words) LossText{#name, words},
#include "abi/losses.def"
#undef LS_LOSS
};

inline constexpr std::size_t loss_count = loss_texts.size();
using LossCounts = std::array<std::uint64_t, loss_count>;

} // namespace loopsnoop
