// SPDX-License-Identifier: Apache-2.0
#include "exporter/label_value.h"

#include <array>
#include <cstddef>

namespace loopsnoop::exporter {

namespace {

// Well-formed sequences of UTF-8 by their first byte, and what the second may be (RFC 3629, section 4): no overlong forms, no
// surrogates, nothing beyond U+10FFFF.
struct Form {
	unsigned char first, last; // of the first byte
	std::size_t length;
	unsigned char second_min, second_max;
};
constexpr std::array forms{
    Form{0x20, 0x7e, 1, 0, 0},       Form{0xc2, 0xdf, 2, 0x80, 0xbf}, Form{0xe0, 0xe0, 3, 0xa0, 0xbf},
    Form{0xe1, 0xec, 3, 0x80, 0xbf}, Form{0xed, 0xed, 3, 0x80, 0x9f}, Form{0xee, 0xef, 3, 0x80, 0xbf},
    Form{0xf0, 0xf0, 4, 0x90, 0xbf}, Form{0xf1, 0xf3, 4, 0x80, 0xbf}, Form{0xf4, 0xf4, 4, 0x80, 0x8f},
};

// Bytes of the printable character that the text begins with; 0: none.
std::size_t character(std::string_view text) {
	const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
	for (const Form &form : forms) {
		if (byte(0) < form.first || byte(0) > form.last) {
			continue;
		}
		bool whole = form.length <= text.size();
		for (std::size_t i = 1; whole && i < form.length; i++) {
			const unsigned char min = i == 1 ? form.second_min : 0x80;
			const unsigned char max_byte = i == 1 ? form.second_max : 0xbf;
			whole = byte(i) >= min && byte(i) <= max_byte;
		}
		const bool c1_control = form.first == 0xc2 && byte(0) == 0xc2 && whole && byte(1) < 0xa0;
		return whole && !c1_control ? form.length : 0;
	}
	return 0;
}

} // namespace

std::string label_value(std::string_view text) {
	constexpr std::size_t max = 200;
	std::string out;
	while (!text.empty() && out.size() < max) {
		const std::size_t length = character(text);
		out += length == 0 ? std::string_view("?") : text.substr(0, length);
		text.remove_prefix(length == 0 ? 1 : length);
	}
	return out;
}

} // namespace loopsnoop::exporter
