// SPDX-License-Identifier: Apache-2.0
#include "runtimes/v8/heap.h"

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "base/utf8.h"

namespace loopsnoop::runtimes::v8 {

namespace {

constexpr int max_steps = 8;                           // of strings that are a part of, or stand for, another
constexpr std::uint32_t max_position = 64U << 20U;     // a script that is longer has no lines
constexpr std::size_t piece = 64UL << 10U;             // bytes read at once
constexpr std::int32_t external_data = sizeof(void *); // from the resource on: where its characters are (v8.h, ExternalString)

std::string to_utf8(std::span<const std::uint16_t> units) {
	std::string text;
	for (std::size_t i = 0; i < units.size(); i++) {
		std::uint32_t code = units[i];
		const bool pair = (code & 0xfc00U) == 0xd800 && i + 1 < units.size() && (units[i + 1] & 0xfc00U) == 0xdc00;
		if (pair) {
			code = 0x10000U + ((code & 0x3ffU) << 10U) + (units[++i] & 0x3ffU);
		}
		utf8::append(text, code);
	}
	return text;
}

} // namespace

std::optional<std::uint64_t> Heap::word(std::uint64_t object, std::int32_t offset) const {
	return is_pointer(object) ? memory_.read_value<std::uint64_t>(object - 1 + static_cast<std::uint64_t>(offset)) : std::nullopt;
}

std::optional<std::uint16_t> Heap::type(std::uint64_t object) const {
	const auto map = word(object, 0);
	return map && is_pointer(*map)
	           ? memory_.read_value<std::uint16_t>(*map - 1 + static_cast<std::uint64_t>(layout_.map_instance_type))
	           : std::nullopt;
}

bool Heap::is(std::uint64_t object, std::int32_t wanted) const {
	const auto found = type(object);
	return found && *found == wanted;
}

bool Heap::is_string(std::uint64_t object) const {
	const auto found = type(object);
	return found && (*found & static_cast<std::uint16_t>(layout_.not_string_mask)) == 0;
}

std::optional<Heap::Flat> Heap::flat(std::uint64_t string) const {
	std::uint32_t skipped = 0;
	std::optional<std::uint32_t> wanted;
	for (int step = 0; step < max_steps; step++) {
		const auto kind = type(string);
		if (!kind || (*kind & static_cast<std::uint16_t>(layout_.not_string_mask)) != 0) {
			return std::nullopt;
		}
		const auto length = memory_.read_value<std::uint32_t>(string - 1 + static_cast<std::uint64_t>(layout_.string_length));
		if (!length) {
			return std::nullopt;
		}
		wanted = wanted ? wanted : length;
		const int representation = *kind & layout_.representation_mask;
		const bool one_byte = (*kind & layout_.encoding_mask) == layout_.one_byte_tag;
		std::optional<std::uint64_t> next;
		if (representation == 0 || representation == layout_.external_tag) {
			std::optional<std::uint64_t> data =
			    string - 1 + static_cast<std::uint64_t>(one_byte ? layout_.one_byte_chars : layout_.two_byte_chars);
			if (representation != 0) {
				data = word(string, layout_.external_resource + external_data);
			}
			if (!data || *data == 0 || std::uint64_t{skipped} + *wanted > *length) {
				return std::nullopt;
			}
			return Flat{*data + std::uint64_t{skipped} * (one_byte ? 1 : 2), *wanted, one_byte};
		}
		if (representation == layout_.thin_tag) {
			next = word(string, layout_.thin_actual);
		} else if (representation == layout_.sliced_tag) {
			const auto offset = word(string, layout_.sliced_offset);
			const auto value = offset ? small(*offset) : std::nullopt;
			if (!value || *value < 0) {
				return std::nullopt;
			}
			skipped += static_cast<std::uint32_t>(*value);
			next = word(string, layout_.sliced_parent);
		} else if (representation == layout_.cons_tag) {
			// Flattened, as it is once anything has read it: all of it is in the first part.
			const auto second = word(string, layout_.cons_second);
			const auto rest =
			    second && is_string(*second)
			        ? memory_.read_value<std::uint32_t>(*second - 1 + static_cast<std::uint64_t>(layout_.string_length))
			        : std::nullopt;
			if (!rest || *rest != 0) {
				return std::nullopt;
			}
			next = word(string, layout_.cons_first);
		}
		if (!next) {
			return std::nullopt;
		}
		string = *next;
	}
	return std::nullopt;
}

std::optional<std::string> Heap::text(std::uint64_t string, std::uint32_t max_units) const {
	const auto found = flat(string);
	if (!found) {
		return std::nullopt;
	}
	const std::uint32_t length = std::min(found->length, max_units);
	std::vector<std::uint16_t> units(length);
	if (found->one_byte) {
		std::vector<std::uint8_t> latin(length);
		if (!memory_.read(found->address, std::as_writable_bytes(std::span(latin)))) {
			return std::nullopt;
		}
		std::copy(latin.begin(), latin.end(), units.begin());
	} else if (!memory_.read(found->address, std::as_writable_bytes(std::span(units)))) {
		return std::nullopt;
	}
	return to_utf8(units);
}

std::optional<int> Heap::lines_before(std::uint64_t string, std::uint32_t position) const {
	const auto found = flat(string);
	if (!found || position > found->length || position > max_position) {
		return std::nullopt;
	}
	const std::size_t width = found->one_byte ? 1 : 2;
	const std::size_t all = position * width;
	std::vector<std::uint8_t> bytes(std::min(piece, all));
	int lines = 0;
	std::uint32_t before = 0;
	for (std::size_t done = 0; done < all; done += bytes.size()) {
		bytes.resize(std::min(piece, all - done));
		if (!memory_.read(found->address + done, std::as_writable_bytes(std::span(bytes)))) {
			return std::nullopt;
		}
		for (std::size_t i = 0; i < bytes.size(); i += width) {
			const std::uint32_t unit = width == 1 ? bytes[i] : bytes[i] | static_cast<std::uint32_t>(bytes[i + 1]) << 8U;
			// As the language has it (ECMA-262, LineTerminatorSequence).
			const bool ends = unit == '\r' || (unit == '\n' && before != '\r') || unit == 0x2028 || unit == 0x2029;
			lines += ends ? 1 : 0;
			before = unit;
		}
	}
	return lines;
}

} // namespace loopsnoop::runtimes::v8
