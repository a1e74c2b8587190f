// SPDX-License-Identifier: Apache-2.0
#include "stacks/cfi_table.h"

#include <dwarf.h>
#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "elf/work_limit.h"

namespace loopsnoop::stacks {
namespace {

constexpr std::uint64_t max_description_bytes = 128 * 1024; // the largest in Debian's node has 3 KiB
constexpr std::size_t max_common_bytes = 256ULL * 1024;     // kept of one file; a file of GCC's has a few of 24 bytes
constexpr std::size_t max_indexed = 128 * 1024;             // entries read from end to end, common ones included: under a second
constexpr std::size_t header_bytes = 64;                    // enough for length, pointer, both addresses of a description
constexpr std::size_t pair_bytes = 8;

struct Block {
	std::uint64_t header = 0; // bytes of the length field: 4 or 12
	std::uint64_t length = 0; // bytes after it
	[[nodiscard]] bool wide() const { return header == 12; }
};

// The length that every entry begins with. Length 0 ends .eh_frame.
std::optional<Block> block_at(const elf::ByteSource &bytes, std::uint64_t offset) {
	const auto narrow = bytes.read<std::uint32_t>(offset);
	if (!narrow) {
		return std::nullopt;
	}
	Block block{4, *narrow};
	if (*narrow == 0xffffffffU) {
		const auto length = bytes.read<std::uint64_t>(offset + 4);
		block = {12, length.value_or(0)};
	}
	if (block.length > bytes.size()) {
		return std::nullopt;
	}
	return block;
}

} // namespace

CfiTable::CfiTable(std::shared_ptr<const elf::Image> image) : image_(std::move(image)) {
	read_search_table();
	if (!search_) {
		add_section(".eh_frame", true);
	}
	add_section(".debug_frame", false);
}

void CfiTable::read_search_table() {
	const auto address = image_->eh_frame_hdr_address();
	const auto offset = address ? image_->offset_of_address(*address) : std::nullopt;
	if (!offset) {
		return;
	}
	std::array<std::uint8_t, 32> header{};
	const std::size_t got = image_->bytes().read_some(*offset, header);
	ByteCursor cursor(std::span<const std::uint8_t>(header).first(got));
	const auto version = cursor.fixed<std::uint8_t>();
	const auto frame_encoding = cursor.fixed<std::uint8_t>();
	const auto count_encoding = cursor.fixed<std::uint8_t>();
	const auto table_encoding = cursor.fixed<std::uint8_t>();
	const auto frame = read_encoded(cursor, frame_encoding, *address + cursor.position(), *address);
	const auto count = read_encoded(cursor, count_encoding, *address + cursor.position(), *address);
	// All linkers write this one form of the table; any other is treated as none.
	constexpr std::uint8_t usual = static_cast<std::uint8_t>(DW_EH_PE_datarel) | static_cast<std::uint8_t>(DW_EH_PE_sdata4);
	if (version != 1 || !frame || !count || *count == 0 || table_encoding != usual ||
	    *count > image_->bytes().size() / pair_bytes) {
		return;
	}
	search_ = SearchTable{*offset + cursor.position(), *address, *count};
}

void CfiTable::add_section(std::string_view name, bool eh) {
	const elf::Section *const section = image_->section(name);
	if (section == nullptr || section->type == SHT_NOBITS || (section->flags & SHF_COMPRESSED) != 0) {
		return;
	}
	Section scanned;
	scanned.eh = eh;
	scanned.offset = section->offset;
	scanned.address = section->address;
	scanned.bytes = section->bytes;
	scanned_.push_back(std::move(scanned));
}

std::optional<UnwindRow> CfiTable::find(std::uint64_t address) {
	if (search_) {
		if (const auto offset = search(address)) {
			if (auto found = row(eh_frame_, *offset, address)) {
				return found;
			}
		}
	}
	for (Section &section : scanned_) {
		if (!section.indexed) {
			index(*image_, *this, section);
		}
		const auto after =
		    std::upper_bound(section.entries.begin(), section.entries.end(), address,
		                     [](std::uint64_t wanted, const Section::Entry &entry) { return wanted < entry.begin; });
		if (after != section.entries.begin()) {
			if (auto found = row(section, std::prev(after)->offset, address)) {
				return found;
			}
		}
	}
	return std::nullopt;
}

// Offset in the file of the last description that begins at or before the address.
std::optional<std::uint64_t> CfiTable::search(std::uint64_t address) const {
	// Pairs of 32-bit signed distances from .eh_frame_hdr: where a function begins, where its description lies. Sorted.
	std::uint64_t low = 0;
	std::uint64_t high = search_->count;
	const auto begin_of = [&](std::int32_t distance) {
		return search_->address + static_cast<std::uint64_t>(std::int64_t{distance});
	};
	while (low < high) {
		const std::uint64_t middle = low + (high - low) / 2;
		const auto begin = image_->bytes().read<std::int32_t>(search_->offset + middle * pair_bytes);
		if (!begin) {
			return std::nullopt;
		}
		if (begin_of(*begin) <= address) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	if (low == 0) {
		return std::nullopt;
	}
	const auto description = image_->bytes().read<std::int32_t>(search_->offset + (low - 1) * pair_bytes + 4);
	return description ? image_->offset_of_address(begin_of(*description)) : std::nullopt;
}

void CfiTable::index(const elf::Image &image, CfiTable &table, Section &section) {
	section.indexed = true;
	std::uint64_t at = 0;
	for (std::size_t i = 0; i < max_indexed && at < section.bytes && !elf::WorkLimit::used_up_by_step(); ++i) {
		const auto block = block_at(image.bytes(), section.offset + at);
		if (!block || block->length == 0) {
			break;
		}
		if (const auto description = table.description_at(section, section.offset + at, false)) {
			section.entries.push_back({description->begin, section.offset + at});
		}
		at += block->header + block->length;
	}
	std::sort(section.entries.begin(), section.entries.end(), [](const auto &a, const auto &b) { return a.begin < b.begin; });
	section.entries.shrink_to_fit();
}

std::optional<CfiTable::Description> CfiTable::description_at(const Section &section, std::uint64_t offset,
                                                              bool with_instructions) {
	const auto block = block_at(image_->bytes(), offset);
	if (!block || block->length == 0 || block->length > max_description_bytes) {
		return std::nullopt;
	}
	const std::uint64_t content = offset + block->header;
	Description description;
	if (with_instructions) {
		description.bytes.resize(block->length);
	} else {
		description.bytes.resize(std::min<std::uint64_t>(block->length, header_bytes));
	}
	if (image_->bytes().read_some(content, description.bytes) != description.bytes.size()) {
		return std::nullopt;
	}
	ByteCursor cursor(description.bytes);
	// .eh_frame: distance back from this very field, 0 means a common entry. .debug_frame: offset in the section, all ones.
	const bool wide = block->wide();
	const std::uint64_t pointer = wide ? cursor.fixed<std::uint64_t>() : cursor.fixed<std::uint32_t>();
	if (section.eh ? pointer == 0 || pointer > content : pointer == (wide ? ~0ULL : 0xffffffffULL)) {
		return std::nullopt;
	}
	description.common = common_at(section, section.eh ? content - pointer : section.offset + pointer);
	if (description.common == nullptr) {
		return std::nullopt;
	}
	const std::uint64_t field_offset = content + cursor.position();
	std::uint64_t field_address = 0;
	if (section.eh && section.bytes == 0) { // reached through the search table
		field_address = image_->address_of_any_offset(field_offset).value_or(0);
	} else {
		field_address = section.address + (field_offset - section.offset);
	}
	const std::uint8_t encoding = description.common->pointer_encoding;
	const auto begin = read_encoded(cursor, encoding, field_address, 0);
	const auto length = read_encoded(cursor, encoding & 0x0fU, 0, 0); // a plain number in the same format
	if (!begin || !length || *begin + *length < *begin) {
		return std::nullopt;
	}
	description.begin = *begin;
	description.end = *begin + *length;
	if (description.common->has_augmentation_size) {
		static_cast<void>(cursor.block(cursor.uleb()));
	}
	description.instructions = cursor.position();
	if (with_instructions && !cursor.ok()) {
		return std::nullopt;
	}
	return description;
}

const CommonEntry *CfiTable::common_at(const Section &section, std::uint64_t offset) {
	if (const auto known = common_.find(offset); known != common_.end()) {
		return &known->second;
	}
	const auto block = block_at(image_->bytes(), offset);
	if (!block || block->length == 0 || block->length > max_description_bytes) {
		return nullptr;
	}
	const auto bytes = image_->bytes().read_bytes(offset + block->header, block->length);
	if (!bytes) {
		return nullptr;
	}
	ByteCursor cursor(*bytes);
	const std::uint64_t id = block->wide() ? cursor.fixed<std::uint64_t>() : cursor.fixed<std::uint32_t>();
	if (id != (section.eh ? 0 : block->wide() ? ~0ULL : 0xffffffffULL)) {
		return nullptr;
	}
	CommonEntry entry;
	const auto version = cursor.fixed<std::uint8_t>();
	const std::string_view augmentation = cursor.c_string();
	if (version != 1 && version != 3 && version != 4) {
		return nullptr;
	}
	if (version == 4 && (cursor.fixed<std::uint8_t>() != 8 || cursor.fixed<std::uint8_t>() != 0)) {
		return nullptr; // addresses of another width, or segments
	}
	entry.code_alignment = cursor.uleb();
	entry.data_alignment = cursor.sleb();
	const std::uint64_t return_register = version == 1 ? cursor.fixed<std::uint8_t>() : cursor.uleb();
	if (return_register != UserRegisters::instruction_pointer) {
		return nullptr;
	}
	std::size_t instructions = cursor.position();
	if (!augmentation.empty()) {
		if (augmentation.front() != 'z') {
			return nullptr; // without the size, what an unknown letter adds cannot be skipped
		}
		entry.has_augmentation_size = true;
		ByteCursor data(cursor.block(cursor.uleb()));
		instructions = cursor.position();
		bool known = true;
		for (const char letter : augmentation.substr(1)) {
			if (!known) {
				break;
			}
			switch (letter) {
			case 'R': entry.pointer_encoding = data.fixed<std::uint8_t>(); break;
			case 'L': static_cast<void>(data.fixed<std::uint8_t>()); break;
			case 'P': {
				const std::uint8_t encoding = data.fixed<std::uint8_t>() & 0x0fU; // its value does not matter, its length does
				known = read_encoded(data, encoding, 0, 0).has_value();
				break;
			}
			case 'S': entry.signal_frame = true; break;
			default: known = false; break;
			}
		}
		if (!data.ok()) {
			return nullptr;
		}
	}
	if (!cursor.ok()) {
		return nullptr;
	}
	entry.instructions.assign(bytes->begin() + static_cast<std::ptrdiff_t>(instructions), bytes->end());
	if (common_bytes_ > max_common_bytes) {
		drop_common();
	}
	common_bytes_ += sizeof(CommonEntry) + entry.instructions.capacity();
	return &common_.emplace(offset, std::move(entry)).first->second;
}

void CfiTable::drop_common() {
	common_.clear();
	common_bytes_ = 0;
}

std::size_t CfiTable::table_bytes() const {
	std::size_t sum = common_bytes_;
	for (const Section &section : scanned_) {
		sum += section.entries.capacity() * sizeof(Section::Entry);
	}
	return sum;
}

void CfiTable::drop_tables() {
	drop_common();
	for (Section &section : scanned_) {
		section.entries = {};
		section.indexed = false;
	}
}

std::optional<UnwindRow> CfiTable::row(const Section &section, std::uint64_t offset, std::uint64_t address) {
	const auto description = description_at(section, offset, true);
	if (!description || address < description->begin || address >= description->end) {
		return std::nullopt;
	}
	return run_cfi(*description->common, std::span(description->bytes).subspan(description->instructions), description->begin,
	               address);
}

} // namespace loopsnoop::stacks
