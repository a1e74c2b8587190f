// SPDX-License-Identifier: Apache-2.0
#include "runtimes/utf8.h"

namespace loopsnoop::runtimes {

void append_utf8(std::string &text, std::uint32_t c) {
	if ((c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff) {
		c = 0xfffd;
	}
	const auto tail = [](std::uint32_t bits) { return static_cast<char>(0x80U | (bits & 0x3fU)); };
	if (c < 0x80) {
		text += static_cast<char>(c);
	} else if (c < 0x800) {
		text += static_cast<char>(0xc0U | (c >> 6U));
		text += tail(c);
	} else if (c < 0x10000) {
		text += static_cast<char>(0xe0U | (c >> 12U));
		text += tail(c >> 6U);
		text += tail(c);
	} else {
		text += static_cast<char>(0xf0U | (c >> 18U));
		text += tail(c >> 12U);
		text += tail(c >> 6U);
		text += tail(c);
	}
}

} // namespace loopsnoop::runtimes
