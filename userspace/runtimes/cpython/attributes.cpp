// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/attributes.h"

#include <array>
#include <cstring>
#include <span>
#include <vector>

#include "runtimes/cpython/objects.h"

namespace loopsnoop::runtimes::cpython {

namespace {

// PyTypeObject.tp_flags, Include/object.h
constexpr std::uint64_t flag_inline_values = 1U << 2U; // Py_TPFLAGS_INLINE_VALUES, >= 3.13
constexpr std::uint64_t flag_managed_dict = 1U << 4U;  // Py_TPFLAGS_MANAGED_DICT, >= 3.11

// Before the object, where its type has a managed dict: Include/internal/pycore_object.h.
constexpr std::uint64_t managed_values = 32; // 3.11
constexpr std::uint64_t managed_dict = 24;   // 3.11: the dict; 3.12: the dict, or the values less 1; >= 3.13: the dict

constexpr std::uint64_t max_entries = 64;
constexpr std::size_t max_characters = 64;

// Where the entries of a dict's keys are, and how long each is. struct _dictkeysobject, 3.9 and 3.10: Objects/dict-common.h;
// since: Include/internal/pycore_dict.h.
struct Entries {
	std::uint64_t begin = 0;
	std::uint64_t count = 0;
	std::uint64_t stride = 0;
	std::uint64_t key = 0; // in an entry; its value follows
};

std::optional<Entries> entries_of(const process::Memory &memory, const Offsets &offsets, std::uint64_t keys, std::uint64_t most) {
	std::array<std::uint64_t, 5> head{};
	if (keys == 0 || !memory.read(keys, std::as_writable_bytes(std::span(head)))) {
		return std::nullopt;
	}
	Entries entries;
	if (offsets.instance.attributes ==
	    AttributeForm::dictionary) { // dk_refcnt, dk_size, dk_lookup, dk_usable, dk_nentries, dk_indices
		const std::uint64_t size = head[1];
		const std::uint64_t width = size <= 0xff ? 1 : size <= 0xffff ? 2 : 4;
		constexpr std::uint64_t largest = 1U << 16U;
		if (size > largest) {
			return std::nullopt;
		}
		entries = {keys + sizeof(head) + size * width, head[4], 24, 8};
	} else { // dk_refcnt, dk_log2_size and dk_log2_index_bytes and dk_kind and dk_version, dk_usable, dk_nentries, dk_indices
		const std::uint64_t log2_index_bytes = (head[1] >> 8U) & 0xffU;
		const bool general = ((head[1] >> 16U) & 0xffU) == 0; // DICT_KEYS_GENERAL: with hashes
		constexpr std::uint64_t largest = 20;
		if (log2_index_bytes > largest) {
			return std::nullopt;
		}
		constexpr std::uint64_t indices = 32;
		entries = {keys + indices + (std::uint64_t{1} << log2_index_bytes), head[3], general ? 24U : 16U, general ? 8U : 0U};
	}
	return entries.count <= most ? std::optional(entries) : std::nullopt;
}

// `values`: of a table whose values lie apart from its keys; 0: they are in the entries.
std::optional<std::uint64_t> look_up(const process::Memory &memory, const Offsets &offsets, std::uint64_t keys,
                                     std::uint64_t values, std::string_view name) {
	const auto entries = entries_of(memory, offsets, keys, max_entries);
	if (!entries) {
		return std::nullopt;
	}
	std::vector<std::uint64_t> words(entries->count * entries->stride / sizeof(std::uint64_t));
	if (!memory.read(entries->begin, std::as_writable_bytes(std::span(words)))) {
		return std::nullopt;
	}
	for (std::uint64_t i = 0; i < entries->count; i++) {
		const std::size_t at = (i * entries->stride + entries->key) / sizeof(std::uint64_t);
		if (words[at] == 0 || read_unicode(memory, offsets, words[at], max_characters) != name) {
			continue;
		}
		const auto value =
		    values != 0 ? memory.read_value<std::uint64_t>(values + i * sizeof(std::uint64_t)) : std::optional(words[at + 1]);
		return value && *value != 0 ? value : std::nullopt;
	}
	return std::nullopt;
}

std::optional<std::uint64_t> look_up_dict(const process::Memory &memory, const Offsets &offsets, std::uint64_t dict,
                                          std::string_view name) {
	const auto keys = dict != 0 ? memory.read_value<std::uint64_t>(dict + offsets.containers.dict_keys) : std::nullopt;
	const auto values = keys ? memory.read_value<std::uint64_t>(dict + offsets.containers.dict_values) : std::nullopt;
	if (!values) {
		return std::nullopt;
	}
	return look_up(memory, offsets, *keys, *values != 0 ? *values + offsets.instance.values_header : 0, name);
}

} // namespace

std::optional<std::uint64_t> read_attribute(const process::Memory &memory, const Offsets &offsets, std::uint64_t object,
                                            std::string_view name) {
	const auto word = [&](std::uint64_t address) { return memory.read_value<std::uint64_t>(address).value_or(0); };
	const std::uint64_t type = word(object + offsets.object.type);
	if (type == 0) {
		return std::nullopt;
	}
	const std::uint64_t flags = word(type + offsets.type.flags);
	if (offsets.instance.attributes == AttributeForm::dictionary || (flags & flag_managed_dict) == 0) {
		const auto offset = static_cast<std::int64_t>(word(type + offsets.type.dictoffset));
		return offset > 0 ? look_up_dict(memory, offsets, word(object + static_cast<std::uint64_t>(offset)), name) : std::nullopt;
	}
	std::uint64_t values = 0;
	std::uint64_t dict = word(object - managed_dict);
	switch (offsets.instance.attributes) {
	case AttributeForm::values_before: values = word(object - managed_values); break;
	case AttributeForm::tagged_before:
		if ((dict & 1U) != 0) {
			values = dict + 1;
		}
		break;
	case AttributeForm::inline_values:
		if (dict == 0 && (flags & flag_inline_values) != 0) {
			values = object + word(type + offsets.type.basicsize) + offsets.instance.values_header;
		}
		break;
	case AttributeForm::dictionary: break;
	}
	if (values != 0) {
		return look_up(memory, offsets, word(type + offsets.type.cached_keys), values, name);
	}
	return look_up_dict(memory, offsets, dict, name);
}

std::vector<DictEntry> read_dict(const process::Memory &memory, const Offsets &offsets, std::uint64_t dict, std::size_t most) {
	const auto keys = dict != 0 ? memory.read_value<std::uint64_t>(dict + offsets.containers.dict_keys) : std::nullopt;
	const auto values = keys ? memory.read_value<std::uint64_t>(dict + offsets.containers.dict_values) : std::nullopt;
	const auto entries = values ? entries_of(memory, offsets, *keys, most) : std::nullopt;
	std::vector<DictEntry> found;
	if (!entries) {
		return found;
	}
	std::vector<std::uint64_t> words(entries->count * entries->stride / sizeof(std::uint64_t));
	std::vector<std::uint64_t> apart(*values != 0 ? entries->count : 0);
	if (!memory.read(entries->begin, std::as_writable_bytes(std::span(words))) ||
	    !memory.read(*values + offsets.instance.values_header, std::as_writable_bytes(std::span(apart)))) {
		return found;
	}
	for (std::uint64_t i = 0; i < entries->count; i++) {
		const std::size_t at = (i * entries->stride + entries->key) / sizeof(std::uint64_t);
		const DictEntry entry{words[at], *values != 0 ? apart[i] : words[at + 1]};
		if (entry.key != 0 && entry.value != 0) {
			found.push_back(entry);
		}
	}
	return found;
}

std::optional<std::uint64_t> read_small_int(const process::Memory &memory, const Offsets &offsets, std::uint64_t object) {
	// PyLongObject: ob_size, or lv_tag from 3.12 on, at 16 (Include/cpython/longintrepr.h), digits of 30 bits from 24 on.
	struct Long {
		std::uint64_t type, size;
		std::array<std::uint32_t, 2> digits;
	};
	const auto number = memory.read_value<Long>(object + offsets.object.type);
	const auto name_at = number ? memory.read_value<std::uint64_t>(number->type + offsets.type.name) : std::nullopt;
	constexpr std::size_t longest = 8;
	if (!name_at || memory.read_string(*name_at, longest) != "int") {
		return std::nullopt;
	}
	// lv_tag: sign in its lowest two bits (0: positive), a bit of Python's own, then the number of digits.
	const bool positive = offsets.instance.attributes < AttributeForm::tagged_before || (number->size & 3U) == 0;
	const std::uint64_t digits = offsets.instance.attributes < AttributeForm::tagged_before ? number->size : number->size >> 3U;
	constexpr std::uint32_t digit_end = 1U << 30U;
	if (!positive || digits > 2 || number->digits[0] >= digit_end || (digits == 2 && number->digits[1] >= digit_end)) {
		return std::nullopt;
	}
	const std::uint64_t low = digits > 0 ? number->digits[0] : 0;
	const std::uint64_t high = digits > 1 ? number->digits[1] : 0;
	return low | high << 30U;
}

} // namespace loopsnoop::runtimes::cpython
