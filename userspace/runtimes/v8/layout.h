// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "elf/image.h"
#include "process/memory.h"

namespace loopsnoop::runtimes::v8 {

// Where V8 keeps what names a JavaScript frame: offsets in bytes from the beginning of an object (or from a frame's pointer), and
// numbers of types. All of it is what the program itself says of its V8: constants that it exports for debuggers, v8dbg_* (V8's
// tools/gen-postmortem-metadata.py; Node is built with them on Linux, stripped or not).
struct Layout {
	std::int32_t fp_function = 0; // of the JSFunction, from the frame pointer
	std::int32_t fp_context = 0;  // of its Context; in frames of other kinds a small integer is there

	std::int32_t map_instance_type = 0;
	std::int32_t function_shared = 0; // JSFunction
	std::int32_t shared_name = 0;     // SharedFunctionInfo: a String, or the ScopeInfo that has it
	std::int32_t shared_script = 0;
	std::int32_t script_name = 0;
	std::int32_t script_source = 0;
	std::int32_t string_length = 0;
	std::int32_t one_byte_chars = 0;
	std::int32_t two_byte_chars = 0;
	std::int32_t cons_first = 0;
	std::int32_t cons_second = 0;
	std::int32_t thin_actual = 0;
	std::int32_t sliced_parent = 0;
	std::int32_t sliced_offset = 0;
	std::int32_t external_resource = 0;
	std::int32_t scope_locals = 0; // ScopeInfo: index of the word that has their number
	std::int32_t scope_first = 0;  // and of the first one after what all have

	std::int32_t shared_type = 0;
	std::int32_t script_type = 0;
	std::int32_t scope_type = 0;
	std::int32_t not_string_mask = 0; // of a type: none of these bits is set for strings
	std::int32_t encoding_mask = 0;
	std::int32_t one_byte_tag = 0;
	std::int32_t representation_mask = 0;
	std::int32_t cons_tag = 0;
	std::int32_t external_tag = 0;
	std::int32_t sliced_tag = 0;
	std::int32_t thin_tag = 0;
};

// The numbers are the target's: it may have written any. What is plausible can be added up without overflow, and lies within some
// pages of an object.
[[nodiscard]] bool is_plausible(const Layout &layout);

// nullopt: V8 is not in there, or does not say enough, or has compressed pointers (no released Node has).
[[nodiscard]] std::optional<Layout> read_layout(const elf::Image &image, std::uint64_t bias, const process::Memory &memory);

} // namespace loopsnoop::runtimes::v8
