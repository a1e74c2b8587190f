// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "stacks/byte_cursor.h"

namespace loopsnoop::stacks {

// What one attribute of a debugging entry (DWARF 2 to 5, section 7.5.6 of DWARF 5) holds, before anything it points to is read.
struct DwarfValue {
	enum class Kind : std::uint8_t {
		none,           // absent, or of a form that is of no use here
		number,         // a constant, a flag
		address,        // a machine address
		address_index,  // of .debug_addr
		text,           // a string, in `text`
		string,         // offset in .debug_str
		line_string,    // offset in .debug_line_str
		string_index,   // of .debug_str_offsets
		unit_reference, // an entry, from the beginning of its unit
		reference,      // an entry, offset in .debug_info
		offset,         // in the section that the attribute says
		list_index,     // of the table of range lists
	};
	Kind kind = Kind::none;
	std::uint64_t value = 0;
	std::string_view text; // of the bytes that were read
};

// Reads one value. Not ok() afterwards: the bytes end, or the form is unknown and nothing behind it can be found.
[[nodiscard]] DwarfValue read_value(ByteCursor &cursor, std::uint64_t form, std::int64_t implicit, std::uint16_t version,
                                    bool wide);

} // namespace loopsnoop::stacks
