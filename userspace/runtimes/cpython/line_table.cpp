// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/line_table.h"

#include <limits>

namespace loopsnoop::runtimes::cpython {

namespace {

using Table = std::span<const std::uint8_t>;

std::optional<int> as_line(std::int64_t line) {
	if (line < 0 || line > std::numeric_limits<int>::max()) {
		return std::nullopt;
	}
	return static_cast<int>(line);
}

// Pairs (bytes of bytecode, signed change of line): the change takes effect after the bytes.
std::optional<int> line_in_lnotab(Table table, std::int64_t line, std::int64_t offset) {
	std::int64_t at = 0;
	for (std::size_t i = 0; i + 1 < table.size(); i += 2) {
		at += table[i];
		if (at > offset) {
			break;
		}
		line += static_cast<std::int8_t>(table[i + 1]);
	}
	return as_line(line);
}

// Pairs (bytes of bytecode, signed change of line): the change takes effect for these bytes; -128 says that they have no line.
std::optional<int> line_in_ranges(Table table, std::int64_t line, std::int64_t offset) {
	constexpr std::int8_t no_line = -128;
	std::int64_t end = 0;
	for (std::size_t i = 0; i + 1 < table.size(); i += 2) {
		const auto change = static_cast<std::int8_t>(table[i + 1]);
		line += change == no_line ? 0 : change;
		end += table[i];
		if (offset < end) {
			return change == no_line ? std::nullopt : as_line(line);
		}
	}
	return std::nullopt;
}

// Six bits a byte, least significant first, bit 6 set when more follow.
std::optional<std::uint64_t> read_varint(Table table, std::size_t &at) {
	std::uint64_t value = 0;
	for (unsigned shift = 0; shift < 36; shift += 6) {
		if (at >= table.size()) {
			return std::nullopt;
		}
		const std::uint8_t byte = table[at++];
		value |= static_cast<std::uint64_t>(byte & 63U) << shift;
		if ((byte & 64U) == 0) {
			return value;
		}
	}
	return std::nullopt;
}

std::optional<std::int64_t> read_signed_varint(Table table, std::size_t &at) {
	const auto value = read_varint(table, at);
	if (!value) {
		return std::nullopt;
	}
	const auto magnitude = static_cast<std::int64_t>(*value >> 1U);
	return (*value & 1U) != 0 ? -magnitude : magnitude;
}

// Entries of some code units (two bytes) each; only an entry's first byte has its high bit set: 1, four bits of kind, three of
// length - 1.
std::optional<int> line_in_locations(Table table, std::int64_t line, std::int64_t offset) {
	constexpr unsigned kind_one_line_0 = 10; // 10, 11, 12: 0, 1, 2 lines on
	constexpr unsigned kind_one_line_2 = 12;
	constexpr unsigned kind_no_columns = 13;
	constexpr unsigned kind_long = 14;
	constexpr unsigned kind_none = 15;
	std::int64_t end = 0;
	std::size_t i = 0;
	while (i < table.size()) {
		const std::uint8_t first = table[i++];
		if ((first & 0x80U) == 0) {
			continue; // the rest of an entry whose columns are not wanted here
		}
		const unsigned kind = (first >> 3U) & 15U;
		if (kind == kind_long || kind == kind_no_columns) {
			const auto change = read_signed_varint(table, i);
			if (!change) {
				return std::nullopt;
			}
			line += *change;
		} else if (kind >= kind_one_line_0 && kind <= kind_one_line_2) {
			line += kind - kind_one_line_0;
		}
		end += 2 * ((first & 7U) + 1);
		if (offset < end) {
			return kind == kind_none ? std::nullopt : as_line(line);
		}
	}
	return std::nullopt;
}

} // namespace

std::optional<int> line_at(LineFormat format, Table table, int first_line, std::int64_t offset) {
	if (offset < 0) {
		return as_line(first_line);
	}
	switch (format) {
	case LineFormat::lnotab: return line_in_lnotab(table, first_line, offset);
	case LineFormat::ranges: return line_in_ranges(table, first_line, offset);
	case LineFormat::locations: break;
	}
	return line_in_locations(table, first_line, offset);
}

} // namespace loopsnoop::runtimes::cpython
