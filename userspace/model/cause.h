// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace loopsnoop {

// Why a loop thread made no progress; the closed list of the JSON schema.
enum class Cause : std::uint8_t {
#define LS_CAUSE(name, words) name,
#include "abi/causes.def"
#undef LS_CAUSE
};

struct CauseText {
	std::string_view name;  // as in JSON and metrics
	std::string_view words; // for people
};

inline constexpr std::array cause_texts{
#define LS_CAUSE(name, words) CauseText{#name, words},
#include "abi/causes.def"
#undef LS_CAUSE
};

inline constexpr std::size_t cause_count = cause_texts.size();

[[nodiscard]] constexpr std::string_view name_of(Cause cause) { return cause_texts.at(static_cast<std::size_t>(cause)).name; }
[[nodiscard]] constexpr std::string_view words_of(Cause cause) { return cause_texts.at(static_cast<std::size_t>(cause)).words; }
[[nodiscard]] std::optional<Cause> cause_named(std::string_view name);

// Time by cause. A part with count 0 and ns 0 did not occur.
struct CausePart {
	std::uint64_t ns = 0;
	std::uint64_t count = 0;
};
using Breakdown = std::array<CausePart, cause_count>;

[[nodiscard]] inline CausePart &part_of(Breakdown &breakdown, Cause cause) {
	return breakdown.at(static_cast<std::size_t>(cause));
}
[[nodiscard]] inline const CausePart &part_of(const Breakdown &breakdown, Cause cause) {
	return breakdown.at(static_cast<std::size_t>(cause));
}
// The cause with most time; `other` when all are zero.
[[nodiscard]] Cause dominant_cause(const Breakdown &breakdown);

} // namespace loopsnoop
