// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/with_blocks.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "runtimes/cpython/objects.h"

namespace loopsnoop::runtimes::cpython {

namespace {

constexpr std::size_t max_frame_words = 64; // of locals and stack of one frame

constexpr std::uint64_t type_name = 24; // PyTypeObject.tp_name

// PyCFunctionObject, Include/cpython/methodobject.h, and PyMethodDef, all versions.
struct BoundMethod {
	std::uint64_t references = 0;
	std::uint64_t type = 0;
	std::uint64_t definition = 0;
	std::uint64_t self = 0;
};
// PyMethodDescrObject, Include/descrobject.h: ob_base, d_type, d_name.
constexpr std::uint64_t descriptor_name = 24;

bool is_of_type(const process::Memory &memory, std::uint64_t type, std::string_view name) {
	const auto name_at = memory.read_value<std::uint64_t>(type + type_name);
	return name_at && memory.read_string(*name_at, name.size() + 1) == name;
}

std::uint64_t self_of_exit(const process::Memory &memory, std::uint64_t address, const std::set<std::uint64_t> &objects) {
	const auto method = memory.read_value<BoundMethod>(address);
	constexpr std::uint64_t max_references = 1U << 16U; // what is freed has a pointer there, or nothing
	if (!method || !objects.contains(method->self) || method->references == 0 || method->references > max_references ||
	    !is_of_type(memory, method->type, "builtin_function_or_method")) {
		return 0;
	}
	constexpr std::string_view exit = "__exit__";
	const auto name_at = memory.read_value<std::uint64_t>(method->definition);
	return name_at && memory.read_string(*name_at, exit.size() + 1) == exit ? method->self : 0;
}

bool is_exit_descriptor(const process::Memory &memory, const Offsets &offsets, std::uint64_t address) {
	const auto type = memory.read_value<std::uint64_t>(address + offsets.object.type);
	const auto name = memory.read_value<std::uint64_t>(address + descriptor_name);
	return type && name && is_of_type(memory, *type, "method_descriptor") &&
	       read_unicode(memory, offsets, *name, 16) == "__exit__";
}

std::vector<std::uint64_t> words_of(const process::Memory &memory, const Offsets &offsets, std::uint64_t frame) {
	const std::uint64_t begin = frame + offsets.frame.locals;
	std::size_t count = max_frame_words;
	if (offsets.frame.stack_pointer) {
		const std::uint64_t top = memory.read_value<std::uint64_t>(frame + *offsets.frame.stack_pointer).value_or(0);
		if (top < begin) {
			return {}; // it runs: its top is in a register
		}
		count = std::min<std::size_t>(count, (top - begin) / sizeof(std::uint64_t));
	}
	std::array<std::uint64_t, max_frame_words> words{};
	const std::size_t bytes = memory.read_some(begin, std::as_writable_bytes(std::span(words).first(count)));
	return {words.begin(), words.begin() + static_cast<std::ptrdiff_t>(bytes / sizeof(std::uint64_t))};
}

bool may_be_object(std::uint64_t word) {
	constexpr std::uint64_t lowest = 0x10000, highest = 0x7fffffffffff;
	return word >= lowest && word <= highest && word % alignof(std::uint64_t) == 0;
}

} // namespace

std::set<std::uint64_t> objects_in_with(const process::Memory &memory, const Offsets &offsets,
                                        std::span<const PlacedFrame> frames, const std::set<std::uint64_t> &objects) {
	std::set<std::uint64_t> found;
	for (const PlacedFrame &frame : frames) {
		const auto words = words_of(memory, offsets, frame.address);
		std::uint64_t before = 0;
		for (const std::uint64_t raw : words) {
			const std::uint64_t word = raw & offsets.frames.pointer_mask;
			if (!may_be_object(word)) {
				before = 0;
				continue;
			}
			if (offsets.frame.stack_pointer) {
				if (before != 0 && objects.contains(word) && is_exit_descriptor(memory, offsets, before)) {
					found.insert(word);
				}
			} else if (const std::uint64_t self = self_of_exit(memory, word, objects); self != 0) {
				found.insert(self);
			}
			before = word;
		}
	}
	return found;
}

} // namespace loopsnoop::runtimes::cpython
