// SPDX-License-Identifier: Apache-2.0
#include "stacks/source_lines.h"

#include <elf.h>
#include <zlib.h>

#include <algorithm>
#include <limits>

#include "stacks/line_program.h"

namespace loopsnoop::stacks {
namespace {

constexpr std::size_t max_path_bytes = 4096;
constexpr std::uint64_t max_section_bytes = 64ULL * 1024 * 1024;  // of .debug_line: a browser's has 60 MiB
constexpr std::uint64_t max_unpacked_bytes = 16ULL * 1024 * 1024; // libc's has 2 MiB
constexpr std::uint64_t max_unit_bytes = 4ULL * 1024 * 1024;
constexpr std::size_t max_sequences = 256ULL * 1024;

std::shared_ptr<const ByteSource> unpack(const ElfImage &image, const ElfSection &section) {
	const auto header = image.bytes().read<Elf64_Chdr>(section.offset);
	if (!header || section.bytes < sizeof(*header) || header->ch_type != ELFCOMPRESS_ZLIB ||
	    header->ch_size > max_unpacked_bytes) {
		return nullptr;
	}
	const auto packed = image.bytes().read_bytes(section.offset + sizeof(*header), section.bytes - sizeof(*header));
	if (!packed) {
		return nullptr;
	}
	std::vector<std::uint8_t> bytes(header->ch_size);
	uLongf length = bytes.size();
	if (uncompress(bytes.data(), &length, packed->data(), packed->size()) != Z_OK || length != bytes.size()) {
		return nullptr;
	}
	return std::make_shared<MemoryBytes>(std::move(bytes));
}

} // namespace

SourceLines::Part SourceLines::part_of(const std::shared_ptr<const ElfImage> &image, std::string_view name) {
	Part part;
	const ElfSection *const section = image->section(name);
	if (section == nullptr || section->type == SHT_NOBITS) {
		return part;
	}
	if ((section->flags & SHF_COMPRESSED) != 0) {
		part.source = unpack(*image, *section);
		part.bytes = part.source ? part.source->size() : 0;
		part.unpacked = true;
	} else {
		part.source = std::shared_ptr<const ByteSource>(image, &image->bytes());
		part.offset = section->offset;
		part.bytes = section->bytes;
	}
	return part;
}

std::unique_ptr<SourceLines> SourceLines::open(const std::shared_ptr<const ElfImage> &image) {
	std::unique_ptr<SourceLines> lines(new SourceLines); // NOLINT(cppcoreguidelines-owning-memory): the constructor is private
	lines->line_ = part_of(image, ".debug_line");
	if (!lines->line_.source || lines->line_.bytes > max_section_bytes) {
		return nullptr;
	}
	lines->image_ = image;
	lines->line_strings_ = part_of(image, ".debug_line_str");
	// Compilers put paths into .debug_line_str; .debug_str, far larger, is read only where it lies open in the file.
	if (const ElfSection *const strings = image->section(".debug_str");
	    strings != nullptr && (strings->flags & SHF_COMPRESSED) == 0) {
		lines->strings_ = part_of(image, ".debug_str");
	}
	lines->index();
	return lines->sequences_.empty() ? nullptr : std::move(lines);
}

std::optional<std::vector<std::uint8_t>> SourceLines::unit_at(std::uint64_t offset) const {
	const auto narrow = line_.source->read<std::uint32_t>(line_.offset + offset);
	const auto wide = line_.source->read<std::uint64_t>(line_.offset + offset + 4);
	if (!narrow || !wide) {
		return std::nullopt;
	}
	const std::uint64_t bytes = *narrow == 0xffffffffU ? std::min(*wide, max_section_bytes) + 12 : std::uint64_t{*narrow} + 4;
	if (bytes > line_.bytes - offset || bytes > max_unit_bytes) {
		return std::nullopt;
	}
	return line_.source->read_bytes(line_.offset + offset, bytes);
}

void SourceLines::index() {
	for (std::uint64_t at = 0; at < line_.bytes && sequences_.size() < max_sequences;) {
		const auto unit = unit_at(at);
		if (!unit) {
			break; // without a length the next one cannot be found
		}
		if (const auto program = LineProgram::read(*unit)) {
			std::uint64_t low = std::numeric_limits<std::uint64_t>::max();
			program->run([&](const LineRow &row) {
				low = std::min(low, row.address);
				if (row.end_sequence) {
					// Functions that the linker threw away stay behind with address 0 (or nearly).
					if (low >= 256 && row.address > low) {
						sequences_.push_back({low, row.address, at});
					}
					low = std::numeric_limits<std::uint64_t>::max();
				}
				return sequences_.size() < max_sequences;
			});
		}
		at += unit->size();
	}
	std::sort(sequences_.begin(), sequences_.end(), [](const Sequence &a, const Sequence &b) { return a.low < b.low; });
	sequences_.shrink_to_fit();
}

std::optional<SourceLine> SourceLines::find(std::uint64_t address) const {
	const auto after = std::upper_bound(sequences_.begin(), sequences_.end(), address,
	                                    [](std::uint64_t wanted, const Sequence &sequence) { return wanted < sequence.low; });
	if (after == sequences_.begin() || address >= std::prev(after)->high) {
		return std::nullopt;
	}
	const auto unit = unit_at(std::prev(after)->unit);
	const auto program = unit ? LineProgram::read(*unit) : std::nullopt;
	if (!program) {
		return std::nullopt;
	}
	std::optional<LineRow> before; // the row in whose range the next one of the same sequence begins
	std::optional<LineRow> found;
	program->run([&](const LineRow &row) {
		if (before && before->address <= address && address < row.address) {
			found = before;
			return false;
		}
		before = row.end_sequence ? std::nullopt : std::optional(row);
		return true;
	});
	if (!found) {
		return std::nullopt;
	}
	SourceLine line;
	line.file = program->file_path(found->file, [&](bool line_strings, std::uint64_t offset) {
		const Part &part = line_strings ? line_strings_ : strings_;
		return part.source && offset < part.bytes
		           ? part.source->read_string(part.offset + offset, std::min<std::uint64_t>(max_path_bytes, part.bytes - offset))
		           : std::string();
	});
	if (found->line > 0 && found->line <= static_cast<std::uint64_t>(std::numeric_limits<int>::max())) {
		line.line = static_cast<int>(found->line);
	}
	return line.file.empty() ? std::nullopt : std::optional(std::move(line));
}

std::uint64_t SourceLines::bytes() const {
	std::uint64_t sum = sequences_.capacity() * sizeof(Sequence);
	for (const Part *const part : {&line_, &line_strings_}) {
		sum += part->unpacked ? part->bytes : 0;
	}
	return sum;
}

} // namespace loopsnoop::stacks
