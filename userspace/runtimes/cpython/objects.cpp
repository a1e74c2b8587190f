// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/objects.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "base/utf8.h"

namespace loopsnoop::runtimes::cpython {

namespace {

void append(std::string &text, std::uint32_t c) {
	if (c >= 0xdc80 && c <= 0xdcff) { // surrogateescape, PEP 383
		text += static_cast<char>(c - 0xdc00);
	} else {
		utf8::append(text, c);
	}
}

} // namespace

std::optional<std::string> read_unicode(const process::Memory &memory, const Offsets &offsets, std::uint64_t address,
                                        std::size_t max_characters) {
	const auto length = memory.read_value<std::int64_t>(address + offsets.text.length);
	const auto state = memory.read_value<std::uint32_t>(address + offsets.text.state);
	if (!length || !state || *length < 0) {
		return std::nullopt;
	}
	// Include/cpython/unicodeobject.h, v3.9 to v3.14: interned:2, kind:3 (bytes a character), compact:1, ascii:1, …
	const std::uint32_t width = (*state >> 2U) & 7U;
	const bool compact = (*state & 0x20U) != 0;
	const bool ascii = (*state & 0x40U) != 0;
	if (!compact || (width != 1 && width != 2 && width != 4) || (ascii && width != 1)) {
		return std::nullopt;
	}
	const std::size_t characters = std::min<std::size_t>(static_cast<std::size_t>(*length), max_characters);
	std::vector<std::byte> raw(characters * width);
	if (!memory.read(address + (ascii ? offsets.text.ascii_size : offsets.text.compact_size), raw)) {
		return std::nullopt;
	}
	std::string text;
	text.reserve(characters);
	for (std::size_t i = 0; i < characters; ++i) {
		std::uint32_t c = 0; // little endian, as the machine is
		std::memcpy(&c, raw.data() + i * width, width);
		append(text, c);
	}
	return text;
}

std::optional<std::vector<std::uint8_t>> read_bytes(const process::Memory &memory, const Offsets &offsets, std::uint64_t address,
                                                    std::size_t max_bytes) {
	const auto size = memory.read_value<std::int64_t>(address + offsets.object.var_size);
	if (!size || *size < 0 || static_cast<std::uint64_t>(*size) > max_bytes) {
		return std::nullopt;
	}
	std::vector<std::uint8_t> bytes(static_cast<std::size_t>(*size));
	if (!memory.read(address + offsets.object.bytes_data, std::as_writable_bytes(std::span(bytes)))) {
		return std::nullopt;
	}
	return bytes;
}

} // namespace loopsnoop::runtimes::cpython
