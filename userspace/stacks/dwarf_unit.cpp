// SPDX-License-Identifier: Apache-2.0
#include "stacks/dwarf_unit.h"

#include <dwarf.h>

#include <algorithm>

namespace loopsnoop::stacks {
namespace {

using ValueKind = DwarfValue::Kind;

constexpr std::uint64_t max_unit_bytes = 16ULL * 1024 * 1024; // of a whole C++ file with -g: 1 to 3 MiB
constexpr std::uint64_t max_own_entry_bytes = 1024;
constexpr std::uint64_t max_abbreviation_bytes = 256ULL * 1024;
constexpr std::size_t max_abbreviations = 16ULL * 1024;
constexpr std::size_t max_attributes = 64;
constexpr std::uint64_t max_list_bytes = 256ULL * 1024;
constexpr std::size_t max_ranges = 4096;
constexpr std::uint64_t thrown_away = 256; // what the linker threw away stays behind with addresses below

// Number `index` of a table of offsets.
std::optional<std::uint64_t> offset_in(const DebugSection &section, std::uint64_t base, std::uint64_t index, bool wide) {
	if (wide) {
		return section.read<std::uint64_t>(base + index * 8);
	}
	return section.read<std::uint32_t>(base + index * 4);
}

} // namespace

DwarfSections::DwarfSections(const std::shared_ptr<const elf::Image> &image)
    : info(image, ".debug_info"), abbreviations(image, ".debug_abbrev"), strings(image, ".debug_str"),
      line_strings(image, ".debug_line_str"), string_offsets(image, ".debug_str_offsets"), addresses(image, ".debug_addr"),
      ranges(image, ".debug_ranges"), range_lists(image, ".debug_rnglists") {}

std::uint64_t DwarfSections::unpacked_bytes() const {
	std::uint64_t sum = 0;
	for (const DebugSection *const section :
	     {&info, &abbreviations, &strings, &line_strings, &string_offsets, &addresses, &ranges, &range_lists}) {
		sum += section->unpacked_bytes();
	}
	return sum;
}

std::optional<DwarfUnit::Header> DwarfUnit::header_at(const DwarfSections &sections, std::uint64_t offset) {
	const std::vector<std::uint8_t> bytes = sections.info.read_up_to(offset, 48);
	ByteCursor cursor(bytes);
	Header header;
	header.begin = offset;
	std::uint64_t length = cursor.fixed<std::uint32_t>();
	header.wide = length == 0xffffffffU;
	if (header.wide) {
		length = cursor.fixed<std::uint64_t>();
	}
	const std::uint64_t begin = offset + cursor.position();
	if (!cursor.ok() || begin > sections.info.size() || length > sections.info.size() - begin) {
		return std::nullopt;
	}
	header.end = begin + length;
	header.version = cursor.fixed<std::uint16_t>();
	std::uint8_t type = DW_UT_compile;
	std::uint8_t address_bytes = 0;
	if (header.version >= 5) {
		type = cursor.fixed<std::uint8_t>();
		address_bytes = cursor.fixed<std::uint8_t>();
	}
	header.abbreviations = header.wide ? cursor.fixed<std::uint64_t>() : cursor.fixed<std::uint32_t>();
	if (header.version < 5) {
		address_bytes = cursor.fixed<std::uint8_t>();
	} else if (type == DW_UT_skeleton || type == DW_UT_split_compile) {
		static_cast<void>(cursor.fixed<std::uint64_t>()); // its number in the file with the rest
	}
	header.first_entry = offset + cursor.position();
	header.has_code = cursor.ok() && header.version >= 2 && header.version <= 5 && address_bytes == 8 &&
	                  (type == DW_UT_compile || type == DW_UT_partial || type == DW_UT_skeleton) &&
	                  header.first_entry < header.end;
	return header;
}

std::shared_ptr<const DwarfUnit> DwarfUnit::open(const DwarfSections &sections, const Header &header, bool whole) {
	if (!header.has_code || (whole && header.end - header.begin > max_unit_bytes)) {
		return nullptr;
	}
	std::shared_ptr<DwarfUnit> unit(new DwarfUnit(sections, header)); // NOLINT(cppcoreguidelines-owning-memory): private
	const std::uint64_t bytes = header.end - header.begin;
	unit->bytes_ = sections.info.read_up_to(header.begin, whole ? bytes : std::min(bytes, max_own_entry_bytes));
	if (!unit->read_abbreviations(whole)) {
		return nullptr;
	}
	const auto own = unit->entry(header.first_entry);
	if (!own) {
		return nullptr;
	}
	unit->own_ = *own;
	unit->base_ = unit->address(own->low).value_or(0);
	return unit;
}

bool DwarfUnit::read_abbreviations(bool whole) {
	// Of a head only the unit's own: compilers number them by how often they are used.
	const std::uint64_t first = header_.first_entry - header_.begin;
	ByteCursor own(std::span<const std::uint8_t>(bytes_).subspan(std::min<std::uint64_t>(first, bytes_.size())));
	const std::uint64_t wanted = own.uleb();
	// In growing pieces: most of the thousands of units of a large file need a few hundred bytes.
	constexpr std::uint64_t growth = 16;
	for (std::uint64_t bytes = whole ? 16384 : 1024;; bytes *= growth) {
		const auto table = sections_->abbreviations.read_up_to(header_.abbreviations, std::min(bytes, max_abbreviation_bytes));
		abbreviations_.clear();
		other_abbreviations_.clear();
		const Parsed parsed = parse_abbreviations(table, whole ? std::nullopt : std::optional(wanted));
		if (parsed == Parsed::too_large) {
			return false;
		}
		if (parsed == Parsed::all || bytes >= max_abbreviation_bytes || table.size() < bytes) {
			return !abbreviations_.empty() || !other_abbreviations_.empty();
		}
	}
}

DwarfUnit::Parsed DwarfUnit::parse_abbreviations(std::span<const std::uint8_t> table, std::optional<std::uint64_t> wanted) {
	ByteCursor cursor(table);
	while (abbreviations_.size() + other_abbreviations_.size() < max_abbreviations) {
		const std::uint64_t code = cursor.uleb();
		if (code == 0) {
			return cursor.ok() ? Parsed::all : Parsed::cut;
		}
		Abbreviation abbreviation;
		abbreviation.tag = cursor.uleb();
		abbreviation.has_children = cursor.fixed<std::uint8_t>() != 0;
		while (cursor.ok()) {
			Attribute attribute;
			attribute.name = cursor.uleb();
			attribute.form = cursor.uleb();
			if (attribute.form == DW_FORM_implicit_const) {
				attribute.implicit = cursor.sleb();
			}
			if (attribute.name == 0 && attribute.form == 0) {
				break;
			}
			if (abbreviation.attributes.size() == max_attributes) {
				return Parsed::too_large;
			}
			abbreviation.attributes.push_back(attribute);
		}
		if (!cursor.ok()) {
			return Parsed::cut;
		}
		if (wanted) {
			if (code == *wanted) {
				other_abbreviations_.emplace(code, std::move(abbreviation));
				return Parsed::all;
			}
		} else if (code == abbreviations_.size() + 1) {
			abbreviations_.push_back(std::move(abbreviation));
		} else {
			other_abbreviations_.emplace(code, std::move(abbreviation));
		}
	}
	return Parsed::all;
}

const DwarfUnit::Abbreviation *DwarfUnit::abbreviation(std::uint64_t code) const {
	if (code <= abbreviations_.size()) {
		return &abbreviations_[code - 1]; // not 0: that ends a list
	}
	const auto found = other_abbreviations_.find(code);
	return found == other_abbreviations_.end() ? nullptr : &found->second;
}

std::optional<DebugEntry> DwarfUnit::entry(std::uint64_t at) const {
	if (at < header_.first_entry || at >= header_.begin + bytes_.size()) {
		return std::nullopt;
	}
	ByteCursor cursor(std::span<const std::uint8_t>(bytes_).subspan(at - header_.begin));
	DebugEntry entry;
	entry.at = at;
	const std::uint64_t code = cursor.uleb();
	if (code != 0) {
		const Abbreviation *const lay_out = abbreviation(code);
		if (lay_out == nullptr) {
			return std::nullopt;
		}
		entry.tag = lay_out->tag;
		entry.has_children = lay_out->has_children;
		for (const Attribute &attribute : lay_out->attributes) {
			set(entry, attribute, read_value(cursor, attribute.form, attribute.implicit, header_.version, header_.wide));
		}
	}
	entry.next = at + cursor.position();
	return cursor.ok() ? std::optional(entry) : std::nullopt;
}

void DwarfUnit::set(DebugEntry &entry, const Attribute &attribute, const DwarfValue &value) const {
	switch (attribute.name) {
	case DW_AT_sibling: {
		const auto sibling = reference(value);
		// Forward only, or a walk would not end.
		entry.sibling = sibling && *sibling > entry.at && *sibling < header_.end ? *sibling : 0;
		break;
	}
	case DW_AT_name: entry.name = value; break;
	case DW_AT_linkage_name:
	case DW_AT_MIPS_linkage_name: entry.linkage_name = value; break;
	case DW_AT_abstract_origin: entry.origin = value; break;
	case DW_AT_specification: entry.specification = value; break;
	case DW_AT_low_pc: entry.low = value; break;
	case DW_AT_high_pc: entry.high = value; break;
	case DW_AT_ranges: entry.ranges = value; break;
	case DW_AT_stmt_list: entry.statements = value; break;
	case DW_AT_str_offsets_base: entry.string_base = value; break;
	case DW_AT_addr_base:
	case DW_AT_GNU_addr_base: entry.address_base = value; break;
	case DW_AT_rnglists_base: entry.list_base = value; break;
	case DW_AT_call_file: entry.call_file = value.value; break;
	case DW_AT_dwo_name:
	case DW_AT_GNU_dwo_name: entry.is_split = true; break;
	case DW_AT_call_line: entry.call_line = value.value; break;
	default: break;
	}
}

std::optional<std::uint64_t> DwarfUnit::indexed_address(std::uint64_t index) const {
	// The table begins with a header of 8 bytes (16 when it is wide), which the base leads past.
	const std::uint64_t base =
	    own_.address_base.kind == ValueKind::none ? (header_.version >= 5 ? 8 : 0) : own_.address_base.value;
	return index < max_unit_bytes ? sections_->addresses.read<std::uint64_t>(base + index * 8) : std::nullopt;
}

std::optional<std::uint64_t> DwarfUnit::address(const DwarfValue &value) const {
	switch (value.kind) {
	case ValueKind::address: return value.value;
	case ValueKind::address_index: return indexed_address(value.value);
	default: return std::nullopt;
	}
}

std::optional<std::uint64_t> DwarfUnit::reference(const DwarfValue &value) const {
	switch (value.kind) {
	case ValueKind::unit_reference: return header_.begin + value.value;
	case ValueKind::reference: return value.value;
	default: return std::nullopt;
	}
}

std::string DwarfUnit::text(const DwarfValue &value) const {
	switch (value.kind) {
	case ValueKind::text: return std::string(value.text.substr(0, 4096));
	case ValueKind::string: return sections_->strings.read_string(value.value);
	case ValueKind::line_string: return sections_->line_strings.read_string(value.value);
	case ValueKind::string_index: {
		const std::uint64_t base =
		    own_.string_base.kind == ValueKind::none ? (header_.version >= 5 ? 8 : 0) : own_.string_base.value;
		if (value.value >= max_unit_bytes) {
			return {};
		}
		const auto offset = offset_in(sections_->string_offsets, base, value.value, header_.wide);
		return offset ? sections_->strings.read_string(*offset) : std::string();
	}
	default: return {};
	}
}

std::vector<CodeRange> DwarfUnit::ranges_of(const DebugEntry &entry) const {
	std::vector<CodeRange> ranges;
	each_range(entry, [&](CodeRange range) {
		if (range.low >= thrown_away && range.high > range.low) {
			ranges.push_back(range);
		}
		return ranges.size() < max_ranges;
	});
	return ranges;
}

bool DwarfUnit::covers(const DebugEntry &entry, std::uint64_t address) const {
	bool found = false;
	each_range(entry, [&](CodeRange range) {
		found = range.holds(address);
		return !found;
	});
	return found;
}

void DwarfUnit::each_range(const DebugEntry &entry, const EachRange &range) const {
	if (entry.ranges.kind != ValueKind::none) {
		if (header_.version < 5) {
			each_of_list(sections_->ranges, entry.ranges.value, &DwarfUnit::parse_list_before_5, range);
			return;
		}
		std::uint64_t offset = entry.ranges.value;
		if (entry.ranges.kind == ValueKind::list_index) {
			const std::uint64_t base = own_.list_base.kind == ValueKind::none ? 12 : own_.list_base.value;
			if (offset >= max_unit_bytes) {
				return;
			}
			const auto distance = offset_in(sections_->range_lists, base, offset, header_.wide);
			if (!distance) {
				return;
			}
			offset = base + *distance;
		}
		each_of_list(sections_->range_lists, offset, &DwarfUnit::parse_list, range);
		return;
	}
	const auto low = address(entry.low);
	if (!low || entry.high.kind == ValueKind::none) {
		return;
	}
	// Since DWARF 4 mostly a length.
	const auto high = entry.high.kind == ValueKind::number ? std::optional(*low + entry.high.value) : address(entry.high);
	if (high) {
		range({*low, *high});
	}
}

// Reads a list of ranges in growing pieces: there are thousands in a large file, and most take some bytes.
void DwarfUnit::each_of_list(const DebugSection &section, std::uint64_t offset, ParseList parse, const EachRange &range) const {
	constexpr std::uint64_t growth = 16;
	for (std::uint64_t bytes = 1024;; bytes *= growth) {
		const auto list = section.read_up_to(offset, std::min(bytes, max_list_bytes));
		std::vector<CodeRange> found;
		const bool whole = (this->*parse)(list, found);
		if (whole || bytes >= max_list_bytes || list.size() < bytes) {
			static_cast<void>(std::ranges::all_of(found, range));
			return;
		}
	}
}

bool DwarfUnit::parse_list_before_5(std::span<const std::uint8_t> list, std::vector<CodeRange> &found) const {
	ByteCursor cursor(list);
	std::uint64_t base = base_;
	while (!cursor.at_end()) {
		const auto low = cursor.fixed<std::uint64_t>();
		const auto high = cursor.fixed<std::uint64_t>();
		if (!cursor.ok()) {
			return false;
		}
		if (low == 0 && high == 0) {
			return true;
		}
		if (low == ~0ULL) {
			base = high;
		} else {
			found.push_back({base + low, base + high});
		}
	}
	return false;
}

bool DwarfUnit::parse_list(std::span<const std::uint8_t> list, std::vector<CodeRange> &found) const {
	ByteCursor cursor(list);
	std::uint64_t base = base_;
	while (!cursor.at_end()) {
		CodeRange next;
		switch (cursor.fixed<std::uint8_t>()) {
		case DW_RLE_base_addressx: base = indexed_address(cursor.uleb()).value_or(0); continue;
		case DW_RLE_base_address: base = cursor.fixed<std::uint64_t>(); continue;
		case DW_RLE_startx_endx:
			next.low = indexed_address(cursor.uleb()).value_or(0);
			next.high = indexed_address(cursor.uleb()).value_or(0);
			break;
		case DW_RLE_startx_length:
			next.low = indexed_address(cursor.uleb()).value_or(0);
			next.high = next.low + cursor.uleb();
			break;
		case DW_RLE_offset_pair:
			next.low = base + cursor.uleb();
			next.high = base + cursor.uleb();
			break;
		case DW_RLE_start_end:
			next.low = cursor.fixed<std::uint64_t>();
			next.high = cursor.fixed<std::uint64_t>();
			break;
		case DW_RLE_start_length:
			next.low = cursor.fixed<std::uint64_t>();
			next.high = next.low + cursor.uleb();
			break;
		default: return true; // the end, or no such kind
		}
		if (!cursor.ok()) {
			return false;
		}
		found.push_back(next);
	}
	return false;
}

} // namespace loopsnoop::stacks
