// SPDX-License-Identifier: Apache-2.0
#include "base/columns.h"

#include <cstdint>

#include "base/utf8.h"

namespace loopsnoop {

// Near enough: CJK, Hangul, full-width forms and emoji take two columns.
static std::size_t width_of(std::uint32_t code) {
	const bool wide =
	    (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) || (code >= 0xac00 && code <= 0xd7a3) ||
	    (code >= 0xf900 && code <= 0xfaff) || (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
	    (code >= 0xffe0 && code <= 0xffe6) || (code >= 0x1f300 && code <= 0x1faff) || (code >= 0x20000 && code <= 0x3fffd);
	return wide ? 2 : 1;
}

std::size_t columns_of(std::string_view text) {
	std::size_t columns = 0;
	while (!text.empty()) {
		const utf8::Character next = utf8::first_character(text);
		columns += width_of(next.code);
		text.remove_prefix(next.bytes);
	}
	return columns;
}

std::string_view cut_to_columns(std::string_view text, std::size_t columns) {
	std::size_t bytes = 0;
	while (bytes < text.size()) {
		const utf8::Character next = utf8::first_character(text.substr(bytes));
		const std::size_t width = width_of(next.code);
		if (width > columns) {
			break;
		}
		columns -= width;
		bytes += next.bytes;
	}
	return text.substr(0, bytes);
}

} // namespace loopsnoop
