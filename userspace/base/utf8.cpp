// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <array>

namespace loopsnoop::utf8 {

namespace {

// RFC 3629, section 4: well-formed sequences by their first byte, and what the second one may be.
struct Form {
	std::uint8_t first, last; // of the first byte
	std::size_t length;
	std::uint8_t second_min, second_max;
};
constexpr std::array forms{
    Form{0xc2, 0xdf, 2, 0x80, 0xbf}, Form{0xe0, 0xe0, 3, 0xa0, 0xbf}, Form{0xe1, 0xec, 3, 0x80, 0xbf},
    Form{0xed, 0xed, 3, 0x80, 0x9f}, Form{0xee, 0xef, 3, 0x80, 0xbf}, Form{0xf0, 0xf0, 4, 0x90, 0xbf},
    Form{0xf1, 0xf3, 4, 0x80, 0xbf}, Form{0xf4, 0xf4, 4, 0x80, 0x8f},
};

Character decode(const Form &form, std::string_view text) {
	const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
	std::uint32_t code = byte(0) & (0x7fU >> form.length);
	for (std::size_t i = 1; i < form.length; i++) {
		const bool fits =
		    i < text.size() && byte(i) >= (i == 1 ? form.second_min : 0x80) && byte(i) <= (i == 1 ? form.second_max : 0xbf);
		if (!fits) {
			return {byte(0), i, false};
		}
		code = (code << 6U) | (byte(i) & 0x3fU);
	}
	return {code, form.length, true};
}

} // namespace

Character first_character(std::string_view text) {
	const auto lead = static_cast<std::uint8_t>(text[0]);
	if (lead < 0x80) {
		return {lead, 1, true};
	}
	for (const Form &form : forms) {
		if (lead >= form.first && lead <= form.last) {
			return decode(form, text);
		}
	}
	return {lead, 1, false};
}

void append(std::string &text, std::uint32_t code) {
	if ((code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) {
		code = 0xfffd;
	}
	const auto tail = [](std::uint32_t bits) { return static_cast<char>(0x80U | (bits & 0x3fU)); };
	if (code < 0x80) {
		text += static_cast<char>(code);
	} else if (code < 0x800) {
		text += static_cast<char>(0xc0U | (code >> 6U));
		text += tail(code);
	} else if (code < 0x10000) {
		text += static_cast<char>(0xe0U | (code >> 12U));
		text += tail(code >> 6U);
		text += tail(code);
	} else {
		text += static_cast<char>(0xf0U | (code >> 18U));
		text += tail(code >> 12U);
		text += tail(code >> 6U);
		text += tail(code);
	}
}

} // namespace loopsnoop::utf8
