// SPDX-License-Identifier: Apache-2.0
#include "output/json_fields.h"

#include <charconv>
#include <system_error>

namespace loopsnoop::output {

void Fields::get_hexadecimal(const char *name, std::uint64_t &out) const {
	std::optional<std::string> text;
	get(name, text);
	if (!text) {
		return;
	}
	const char *end = text->data() + text->size();
	const bool prefixed = text->starts_with("0x") && text->size() > 2;
	const auto [stopped, failure] = std::from_chars(text->data() + (prefixed ? 2 : 0), end, out, 16);
	if (!prefixed || failure != std::errc{} || stopped != end) {
		complain(place_of(name), "not a hexadecimal number");
	}
}

} // namespace loopsnoop::output
