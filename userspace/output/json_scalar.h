// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "output/record_traits.h"

// What of JSON has no parts: numbers, texts, truth values, and the words that stand for the values of an enum.
namespace loopsnoop::output {

// False: it is of another kind, or too large a number; `out` stays as it was.
[[nodiscard]] bool take_scalar(const nlohmann::json &json, bool &out);
[[nodiscard]] bool take_scalar(const nlohmann::json &json, std::string &out);
[[nodiscard]] bool take_scalar(const nlohmann::json &json, int &out);
[[nodiscard]] bool take_scalar(const nlohmann::json &json, std::uint32_t &out);
[[nodiscard]] bool take_scalar(const nlohmann::json &json, std::uint64_t &out);
[[nodiscard]] bool take_scalar(const nlohmann::json &json, std::int64_t &out);

// Of what is not taken for a T: "not a string".
template <typename T> [[nodiscard]] constexpr std::string_view what_it_is_not() {
	if constexpr (std::is_same_v<T, bool>) {
		return "not true or false";
	} else if constexpr (std::is_same_v<T, std::string>) {
		return "not a string";
	} else {
		return sizeof(T) == sizeof(std::uint64_t) ? "not a 64-bit number" : "not a 32-bit number";
	}
}

// "0x7f10"; nullopt: it is no hexadecimal number.
[[nodiscard]] std::optional<std::uint64_t> hexadecimal_of(std::string_view text);

// `otherwise` for a word that is not known; of causes, which newer versions have more of, it is `other`.
template <typename E> [[nodiscard]] E value_named(std::string_view word, E otherwise) {
	if constexpr (std::is_same_v<E, Cause>) {
		return cause_named(word).value_or(Cause::other);
	} else {
		static_assert(!all_values<E>.empty(), "list them in record_traits.h");
		for (const E one : all_values<E>) {
			if (name_of(one) == word) {
				return one;
			}
		}
		return otherwise;
	}
}

} // namespace loopsnoop::output
