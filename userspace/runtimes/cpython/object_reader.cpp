// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/object_reader.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "runtimes/cpython/objects.h"

namespace loopsnoop::runtimes::cpython {

namespace {

constexpr std::size_t max_types = 4096;
constexpr std::size_t max_type_name = 200;
constexpr std::size_t max_bases = 16;
constexpr std::size_t max_members = 128;

// PyTypeObject.tp_members, tp_base: Include/cpython/object.h, the same in 3.9 to 3.15. Type flags: Include/object.h.
constexpr std::uint64_t type_members = 240;
constexpr std::uint64_t type_base = 256;
constexpr std::uint64_t flag_type_subclass = 1ULL << 31U;

// PyMemberDef: Include/structmember.h, since 3.12 descrobject.h.
struct Member {
	std::uint64_t name = 0;
	std::uint32_t type = 0;
	std::uint32_t padding = 0;
	std::uint64_t offset = 0;
	std::uint64_t flags = 0;
	std::uint64_t doc = 0;
};
constexpr std::uint32_t member_object = 6;     // T_OBJECT, _Py_T_OBJECT
constexpr std::uint32_t member_object_ex = 16; // T_OBJECT_EX, Py_T_OBJECT_EX

// PyMethodObject: Include/cpython/classobject.h; PyCFunctionObject: Include/cpython/methodobject.h; PyFunctionObject:
// Include/cpython/funcobject.h, of which 3.10 made another. PyCellObject, PyWeakReference: the object follows the head.
constexpr std::uint64_t method_function = 16;
constexpr std::uint64_t method_self = 24;
constexpr std::uint64_t builtin_definition = 16;
constexpr std::uint64_t builtin_self = 24;
struct FunctionLayout {
	std::uint64_t code, name, closure;
};
FunctionLayout function_layout(const Offsets &offsets) {
	if (offsets.coroutine.form == CoroutineForm::frame_with_stacktop) {
		return {16, 64, 48}; // 3.9
	}
	return {48, 32, 72};
}

// dequeobject and block, Modules/_collectionsmodule.c, the same in 3.9 to 3.15.
constexpr std::uint64_t deque_size = 16;
constexpr std::uint64_t deque_left_block = 24;
constexpr std::uint64_t deque_left_index = 40;
constexpr std::uint64_t block_length = 64;

bool is_name(std::string_view text) {
	return !text.empty() && text.size() < max_type_name && std::ranges::all_of(text, [](char c) {
		return c == '_' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		       static_cast<unsigned char>(c) >= 0x80;
	});
}

} // namespace

bool ObjectReader::may_be_object(std::uint64_t word) {
	constexpr std::uint64_t lowest = 0x10000, highest = 0x7fffffffffff;
	return word >= lowest && word <= highest && word % alignof(std::uint64_t) == 0;
}

ObjectReader::Type &ObjectReader::type(std::uint64_t address) {
	static Type none;
	if (!may_be_object(address)) {
		return none;
	}
	if (const auto known = types_.find(address); known != types_.end()) {
		return known->second;
	}
	if (types_.size() >= max_types) {
		return none;
	}
	Type &type = types_[address];
	const std::uint64_t meta = word(address + offsets_.object.type);
	if (!may_be_object(meta) || (word(meta + offsets_.type.flags) & flag_type_subclass) == 0) {
		return type;
	}
	const auto name = memory_.read_string(word(address + offsets_.type.name), max_type_name);
	if (name && is_name(*name)) {
		type.name = *name;
		type.base = word(address + type_base);
		type.flags = word(address + offsets_.type.flags);
	}
	return type;
}

std::string_view ObjectReader::type_name(std::uint64_t object) {
	return may_be_object(object) ? std::string_view(type(word(object + offsets_.object.type)).name) : std::string_view();
}

bool ObjectReader::is_a(std::uint64_t object, std::string_view type_name) {
	if (!may_be_object(object)) {
		return false;
	}
	std::uint64_t address = word(object + offsets_.object.type);
	for (std::size_t depth = 0; depth < max_bases && address != 0; ++depth) {
		const Type &one = type(address);
		if (one.name.empty() || one.name == type_name) {
			return !one.name.empty();
		}
		address = one.base;
	}
	return false;
}

const std::map<std::string, std::uint64_t, std::less<>> &ObjectReader::members(Type &type, std::uint64_t address) {
	if (type.members) {
		return *type.members;
	}
	std::map<std::string, std::uint64_t, std::less<>> found;
	std::uint64_t at = word(address + type_members);
	for (std::size_t i = 0; i < max_members && may_be_object(at); ++i, at += sizeof(Member)) {
		const auto member = memory_.read_value<Member>(at);
		if (!member || member->name == 0) {
			break;
		}
		constexpr std::uint64_t far = 4096;
		const bool is_object = member->type == member_object || member->type == member_object_ex;
		const auto name = memory_.read_string(member->name, max_type_name);
		if (is_object && member->offset < far && name && is_name(*name)) {
			found.emplace(*name, member->offset);
		}
	}
	type.members = std::move(found);
	return *type.members;
}

std::optional<std::uint64_t> ObjectReader::attribute(std::uint64_t object, std::string_view name) {
	if (type_name(object).empty()) {
		return std::nullopt;
	}
	std::uint64_t address = word(object + offsets_.object.type);
	for (std::size_t depth = 0; depth < max_bases && address != 0; ++depth) {
		Type &one = type(address);
		if (one.name.empty()) {
			break;
		}
		const auto &its = members(one, address);
		if (const auto member = its.find(name); member != its.end()) {
			const std::uint64_t value = word(object + member->second);
			return value != 0 ? std::optional(value) : std::nullopt;
		}
		address = one.base;
	}
	return read_attribute(memory_, offsets_, object, name);
}

std::optional<std::uint64_t> ObjectReader::attribute(std::uint64_t object, std::string_view first, std::string_view second) {
	const auto one = attribute(object, first);
	return one ? attribute(*one, second) : std::nullopt;
}

std::optional<std::string> ObjectReader::text(std::uint64_t object, std::size_t max_characters) {
	return is_a(object, "str") ? read_unicode(memory_, offsets_, object, max_characters) : std::nullopt;
}

std::optional<std::uint64_t> ObjectReader::integer(std::uint64_t object) {
	return type_name(object) == "int" ? read_small_int(memory_, offsets_, object) : std::nullopt;
}

std::optional<double> ObjectReader::number(std::uint64_t object) {
	if (type_name(object) == "float") {
		return memory_.read_value<double>(object + offsets_.numbers.float_value);
	}
	const auto whole = integer(object);
	return whole ? std::optional(static_cast<double>(*whole)) : std::nullopt;
}

bool ObjectReader::is_true(std::uint64_t object) {
	// bool is an int with one digit, 0 or 1 (True of 3.12 and later has it in the same place).
	return type_name(object) == "bool" && memory_.read_value<std::uint32_t>(object + offsets_.numbers.long_digits) == 1;
}

std::vector<std::uint64_t> ObjectReader::words(std::uint64_t address, std::uint64_t count, std::size_t most) const {
	std::vector<std::uint64_t> found(std::min<std::uint64_t>(count, most));
	const std::size_t got = memory_.read_some(address, std::as_writable_bytes(std::span(found)));
	found.resize(got / sizeof(std::uint64_t));
	return found;
}

std::vector<std::uint64_t> ObjectReader::set_items(std::uint64_t set, std::size_t most) const {
	constexpr std::uint64_t max_slots = 1U << 20U;
	const std::uint64_t slots = word(set + offsets_.containers.set_mask) + 1;
	if (slots == 0 || slots > max_slots) {
		return {};
	}
	const auto table = words(word(set + offsets_.containers.set_table), slots * 2, slots * 2);
	std::vector<std::uint64_t> found;
	for (std::size_t i = 0; i + 1 < table.size() && found.size() < most; i += 2) {
		constexpr std::uint64_t dummy_hash = ~0ULL; // of a place that was used and is free again: Objects/setobject.c
		if (table[i] != 0 && table[i + 1] != dummy_hash) {
			found.push_back(table[i]);
		}
	}
	return found;
}

std::vector<std::uint64_t> ObjectReader::deque_items(std::uint64_t deque, std::size_t most) const {
	std::uint64_t left = std::min<std::uint64_t>(word(deque + deque_size), most);
	std::uint64_t block = word(deque + deque_left_block);
	std::uint64_t index = word(deque + deque_left_index);
	std::vector<std::uint64_t> found;
	while (left > 0 && block != 0 && index <= block_length) {
		const std::uint64_t here = std::min(left, block_length - index);
		const auto part = words(block + sizeof(std::uint64_t) * (1 + index), here, here);
		found.insert(found.end(), part.begin(), part.end());
		if (part.size() < here) {
			break;
		}
		left -= here;
		index = 0;
		block = word(block + sizeof(std::uint64_t) * (1 + block_length));
	}
	return found;
}

std::vector<std::uint64_t> ObjectReader::weak_items(std::uint64_t weak_set, std::size_t most) {
	const auto data = attribute(weak_set, "data");
	std::vector<std::uint64_t> found;
	if (!data || !is_a(*data, "set")) {
		return found;
	}
	for (const std::uint64_t reference : set_items(*data, most)) {
		const std::uint64_t object = word(reference + after_head); // None when it is gone
		if (!is_none(object)) {
			found.push_back(object);
		}
	}
	return found;
}

std::vector<std::uint64_t> ObjectReader::items(std::uint64_t object, std::size_t most) {
	const std::uint64_t count = word(object + offsets_.object.var_size);
	if (is_a(object, "list")) {
		return words(word(object + offsets_.containers.list_items), count, most);
	}
	if (is_a(object, "tuple")) {
		return words(object + offsets_.containers.tuple_items, count, most);
	}
	if (is_a(object, "set") || is_a(object, "frozenset")) {
		return set_items(object, most);
	}
	if (is_a(object, "collections.deque")) {
		return deque_items(object, most);
	}
	return is_a(object, "WeakSet") ? weak_items(object, most) : std::vector<std::uint64_t>();
}

std::optional<std::uint64_t> ObjectReader::size(std::uint64_t object) {
	if (is_a(object, "list") || is_a(object, "tuple") || is_a(object, "collections.deque")) {
		return word(object + offsets_.object.var_size);
	}
	return is_a(object, "set") || is_a(object, "frozenset") ? std::optional(word(object + offsets_.containers.set_used))
	                                                        : std::nullopt;
}

std::vector<DictEntry> ObjectReader::entries(std::uint64_t dict, std::size_t most) {
	return is_a(dict, "dict") ? read_dict(memory_, offsets_, dict, most) : std::vector<DictEntry>();
}

std::optional<std::uint64_t> ObjectReader::value(std::uint64_t dict, std::string_view key, std::size_t most) {
	for (const DictEntry &entry : entries(dict, most)) {
		if (text(entry.key, key.size() + 1) == key) {
			return entry.value;
		}
	}
	return std::nullopt;
}

std::uint64_t ObjectReader::self_of(std::uint64_t callable) {
	const std::string_view type = type_name(callable);
	if (type == "method") {
		return word(callable + method_self);
	}
	return type == "builtin_function_or_method" || type == "builtin_method" ? word(callable + builtin_self) : 0;
}

std::string ObjectReader::callable_name(std::uint64_t callable) {
	const std::string_view type = type_name(callable);
	if (type == "method") {
		callable = word(callable + method_function);
	} else if (type == "builtin_function_or_method" || type == "builtin_method") {
		return memory_.read_string(word(word(callable + builtin_definition)), max_type_name).value_or("");
	}
	if (type_name(callable) != "function") {
		return {};
	}
	return text(word(callable + function_layout(offsets_).name)).value_or("");
}

std::uint64_t ObjectReader::code_of(std::uint64_t callable) {
	if (type_name(callable) == "method") {
		callable = word(callable + method_function);
	}
	return type_name(callable) == "function" ? word(callable + function_layout(offsets_).code) : 0;
}

std::vector<std::uint64_t> ObjectReader::closure(std::uint64_t function) {
	std::vector<std::uint64_t> found;
	if (type_name(function) != "function") {
		return found;
	}
	constexpr std::size_t most = 16;
	for (const std::uint64_t cell : items(word(function + function_layout(offsets_).closure), most)) {
		if (type_name(cell) == "cell") {
			found.push_back(word(cell + after_head));
		}
	}
	return found;
}

} // namespace loopsnoop::runtimes::cpython
