// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing beyond U+10FFFF. Strings of a target may hold any bytes.
namespace loopsnoop::utf8 {

struct Character {
	std::uint32_t code = 0; // of an invalid one: its first byte
	std::size_t bytes =
	    1; // of an invalid one: those that could still have begun a character, as "U+FFFD for each maximal subpart"
	bool valid = false;
};

// Of a text that is not empty.
[[nodiscard]] Character first_character(std::string_view text);

// A code that is no character (a surrogate that stands alone, a number beyond U+10FFFF) becomes U+FFFD.
void append(std::string &text, std::uint32_t code);

// A byte inside a character, and not its first.
[[nodiscard]] constexpr bool continues(char byte) { return (static_cast<std::uint8_t>(byte) & 0xc0U) == 0x80; }

// Where a text can be cut, `at` or up to three bytes before it, and halve no character.
[[nodiscard]] constexpr std::size_t cut_before(std::string_view text, std::size_t at) {
	for (int i = 0; i < 3 && at > 0 && at < text.size() && continues(text[at]); i++) {
		at--;
	}
	return at;
}

} // namespace loopsnoop::utf8
