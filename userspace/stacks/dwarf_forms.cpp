// SPDX-License-Identifier: Apache-2.0
#include "stacks/dwarf_forms.h"

#include <dwarf.h>

#include <limits>

namespace loopsnoop::stacks {
namespace {

using FormKind = DwarfValue::Kind;

std::uint64_t number_of(ByteCursor &cursor, unsigned bytes) {
	switch (bytes) {
	case 1: return cursor.fixed<std::uint8_t>();
	case 2: return cursor.fixed<std::uint16_t>();
	case 3: {
		const std::uint64_t low = cursor.fixed<std::uint16_t>();
		return low | static_cast<std::uint64_t>(cursor.fixed<std::uint8_t>()) << 16U;
	}
	case 4: return cursor.fixed<std::uint32_t>();
	default: return cursor.fixed<std::uint64_t>();
	}
}

DwarfValue skipped(ByteCursor &cursor, std::uint64_t bytes) {
	static_cast<void>(cursor.block(bytes));
	return {};
}

void give_up(ByteCursor &cursor) { static_cast<void>(cursor.block(std::numeric_limits<std::uint64_t>::max())); }

} // namespace

DwarfValue read_value(ByteCursor &cursor, std::uint64_t form, std::int64_t implicit, std::uint16_t version, bool wide) {
	const unsigned offset_bytes = wide ? 8 : 4;
	if (form == DW_FORM_indirect) {
		form = cursor.uleb(); // once: what it leads to is no other indirect form
	}
	switch (form) {
	case DW_FORM_addr: return {FormKind::address, number_of(cursor, 8), {}};
	case DW_FORM_addrx:
	case DW_FORM_GNU_addr_index: return {FormKind::address_index, cursor.uleb(), {}};
	case DW_FORM_addrx1: return {FormKind::address_index, number_of(cursor, 1), {}};
	case DW_FORM_addrx2: return {FormKind::address_index, number_of(cursor, 2), {}};
	case DW_FORM_addrx3: return {FormKind::address_index, number_of(cursor, 3), {}};
	case DW_FORM_addrx4: return {FormKind::address_index, number_of(cursor, 4), {}};
	case DW_FORM_data1: return {FormKind::number, number_of(cursor, 1), {}};
	case DW_FORM_data2: return {FormKind::number, number_of(cursor, 2), {}};
	// Before DWARF 4 offsets of sections are written like numbers, too.
	case DW_FORM_data4: return {FormKind::number, number_of(cursor, 4), {}};
	case DW_FORM_data8: return {FormKind::number, number_of(cursor, 8), {}};
	case DW_FORM_sdata: return {FormKind::number, static_cast<std::uint64_t>(cursor.sleb()), {}};
	case DW_FORM_udata: return {FormKind::number, cursor.uleb(), {}};
	case DW_FORM_implicit_const: return {FormKind::number, static_cast<std::uint64_t>(implicit), {}};
	case DW_FORM_flag: return {FormKind::number, number_of(cursor, 1), {}};
	case DW_FORM_flag_present: return {FormKind::number, 1, {}};
	case DW_FORM_string: return {FormKind::text, 0, cursor.c_string()};
	case DW_FORM_strp: return {FormKind::string, number_of(cursor, offset_bytes), {}};
	case DW_FORM_line_strp: return {FormKind::line_string, number_of(cursor, offset_bytes), {}};
	case DW_FORM_strx:
	case DW_FORM_GNU_str_index: return {FormKind::string_index, cursor.uleb(), {}};
	case DW_FORM_strx1: return {FormKind::string_index, number_of(cursor, 1), {}};
	case DW_FORM_strx2: return {FormKind::string_index, number_of(cursor, 2), {}};
	case DW_FORM_strx3: return {FormKind::string_index, number_of(cursor, 3), {}};
	case DW_FORM_strx4: return {FormKind::string_index, number_of(cursor, 4), {}};
	case DW_FORM_ref1: return {FormKind::unit_reference, number_of(cursor, 1), {}};
	case DW_FORM_ref2: return {FormKind::unit_reference, number_of(cursor, 2), {}};
	case DW_FORM_ref4: return {FormKind::unit_reference, number_of(cursor, 4), {}};
	case DW_FORM_ref8: return {FormKind::unit_reference, number_of(cursor, 8), {}};
	case DW_FORM_ref_udata: return {FormKind::unit_reference, cursor.uleb(), {}};
	case DW_FORM_ref_addr: return {FormKind::reference, number_of(cursor, version <= 2 ? 8 : offset_bytes), {}};
	case DW_FORM_sec_offset: return {FormKind::offset, number_of(cursor, offset_bytes), {}};
	case DW_FORM_rnglistx: return {FormKind::list_index, cursor.uleb(), {}};
	case DW_FORM_loclistx: cursor.uleb(); return {};
	case DW_FORM_block1: return skipped(cursor, number_of(cursor, 1));
	case DW_FORM_block2: return skipped(cursor, number_of(cursor, 2));
	case DW_FORM_block4: return skipped(cursor, number_of(cursor, 4));
	case DW_FORM_block:
	case DW_FORM_exprloc: return skipped(cursor, cursor.uleb());
	case DW_FORM_data16: return skipped(cursor, 16);
	case DW_FORM_ref_sig8:
	case DW_FORM_ref_sup8: return skipped(cursor, 8);
	case DW_FORM_ref_sup4: return skipped(cursor, 4);
	// Of the supplementary file (dwz), which is not read.
	case DW_FORM_strp_sup:
	case DW_FORM_GNU_strp_alt:
	case DW_FORM_GNU_ref_alt: return skipped(cursor, offset_bytes);
	default: give_up(cursor); return {};
	}
}

} // namespace loopsnoop::stacks
