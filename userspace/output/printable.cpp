// SPDX-License-Identifier: Apache-2.0
#include "output/printable.h"

#include <fmt/format.h>

#include <cstdint>

namespace loopsnoop::output {

namespace {

struct Character {
	std::uint32_t code = 0;
	std::size_t bytes = 1;
	bool valid = false;
};

// The first character of a text that is not empty. RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF.
Character first_character(std::string_view text) {
	const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
	const std::uint8_t lead = byte(0);
	if (lead < 0x80) {
		return {lead, 1, true};
	}
	std::size_t length = 0;
	std::uint32_t code = 0;
	std::uint32_t least = 0;
	if ((lead & 0xe0U) == 0xc0) {
		length = 2, code = lead & 0x1fU, least = 0x80;
	} else if ((lead & 0xf0U) == 0xe0) {
		length = 3, code = lead & 0x0fU, least = 0x800;
	} else if ((lead & 0xf8U) == 0xf0) {
		length = 4, code = lead & 0x07U, least = 0x10000;
	}
	if (length == 0 || length > text.size()) {
		return {lead, 1, false};
	}
	for (std::size_t i = 1; i < length; i++) {
		if ((byte(i) & 0xc0U) != 0x80) {
			return {lead, 1, false};
		}
		code = (code << 6U) | (byte(i) & 0x3fU);
	}
	if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
		return {lead, 1, false};
	}
	return {code, length, true};
}

// Would change the screen rather than show on it: C0, DEL, C1, line and paragraph separators, bidirectional and zero-width marks.
bool drives_the_terminal(std::uint32_t code) {
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x061c || (code >= 0x200b && code <= 0x200f) ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
}

// Near enough: CJK, Hangul, full-width forms and emoji take two columns.
std::size_t width_of(std::uint32_t code) {
	const bool wide =
	    (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) || (code >= 0xac00 && code <= 0xd7a3) ||
	    (code >= 0xf900 && code <= 0xfaff) || (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
	    (code >= 0xffe0 && code <= 0xffe6) || (code >= 0x1f300 && code <= 0x1faff) || (code >= 0x20000 && code <= 0x3fffd);
	return wide ? 2 : 1;
}

std::string escaped(std::string_view text) {
	std::string out;
	out.reserve(text.size());
	while (!text.empty()) {
		const Character next = first_character(text);
		if (!next.valid || next.code < 0x20 || next.code == 0x7f) {
			out += fmt::format("\\x{:02x}", next.code);
		} else if (drives_the_terminal(next.code)) {
			out += fmt::format("\\u{:04x}", next.code);
		} else {
			out += text.substr(0, next.bytes);
		}
		text.remove_prefix(next.bytes);
	}
	return out;
}

bool continues(char c) { return (static_cast<std::uint8_t>(c) & 0xc0U) == 0x80; }

} // namespace

std::string printable(std::string_view text, std::size_t most) {
	if (text.size() <= most) {
		return escaped(text);
	}
	// Cut between characters, or the halves of one would be shown as bytes.
	std::size_t head = most / 2;
	std::size_t tail = text.size() - (most - most / 2);
	for (int i = 0; i < 3 && head > 0 && continues(text[head]); i++) {
		head--;
	}
	for (int i = 0; i < 3 && tail < text.size() && continues(text[tail]); i++) {
		tail++;
	}
	return escaped(text.substr(0, head)) + "…" + escaped(text.substr(tail));
}

std::size_t columns_of(std::string_view text) {
	std::size_t columns = 0;
	while (!text.empty()) {
		const Character next = first_character(text);
		columns += width_of(next.code);
		text.remove_prefix(next.bytes);
	}
	return columns;
}

std::string_view cut_to_columns(std::string_view text, std::size_t columns) {
	std::size_t bytes = 0;
	while (bytes < text.size()) {
		const Character next = first_character(text.substr(bytes));
		const std::size_t width = width_of(next.code);
		if (width > columns) {
			break;
		}
		columns -= width;
		bytes += next.bytes;
	}
	return text.substr(0, bytes);
}

} // namespace loopsnoop::output
