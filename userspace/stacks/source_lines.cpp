// SPDX-License-Identifier: Apache-2.0
#include "stacks/source_lines.h"

#include <elf.h>

#include <algorithm>
#include <limits>

#include "elf/work_limit.h"

namespace loopsnoop::stacks {
namespace {

constexpr std::uint64_t max_line_section_bytes = 64ULL * 1024 * 1024; // of .debug_line: a browser's has 60 MiB
constexpr std::uint64_t max_line_unit_bytes = 4ULL * 1024 * 1024;
constexpr std::size_t max_sequences = 256ULL * 1024;

} // namespace

std::unique_ptr<SourceLines> SourceLines::open(const std::shared_ptr<const elf::Image> &image) {
	std::unique_ptr<SourceLines> lines(new SourceLines); // NOLINT(cppcoreguidelines-owning-memory): the constructor is private
	lines->line_ = DebugSection(image, ".debug_line");
	if (lines->line_.empty() || lines->line_.size() > max_line_section_bytes) {
		return nullptr;
	}
	lines->line_strings_ = DebugSection(image, ".debug_line_str");
	// Compilers put paths into .debug_line_str; .debug_str, far larger, is read only where it lies open in the file.
	if (const elf::Section *const strings = image->section(".debug_str");
	    strings != nullptr && (strings->flags & SHF_COMPRESSED) == 0) {
		lines->strings_ = DebugSection(image, ".debug_str");
	}
	lines->index();
	return lines->sequences_.empty() ? nullptr : std::move(lines);
}

std::optional<std::vector<std::uint8_t>> SourceLines::unit_at(std::uint64_t offset) const {
	const auto narrow = line_.read<std::uint32_t>(offset);
	const auto wide = line_.read<std::uint64_t>(offset + 4);
	if (!narrow || (*narrow == 0xffffffffU && !wide)) {
		return std::nullopt;
	}
	const std::uint64_t bytes =
	    *narrow == 0xffffffffU ? std::min(wide.value_or(0), max_line_section_bytes) + 12 : std::uint64_t{*narrow} + 4;
	return bytes <= max_line_unit_bytes ? line_.read_bytes(offset, bytes) : std::nullopt;
}

void SourceLines::index() {
	for (std::uint64_t at = 0; at < line_.size() && sequences_.size() < max_sequences && !elf::WorkLimit::used_up();) {
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
				return sequences_.size() < max_sequences && !elf::WorkLimit::used_up_by_step();
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
		return !elf::WorkLimit::used_up_by_step();
	});
	if (!found) {
		return std::nullopt;
	}
	SourceLine line;
	line.file = path_in(*program, found->file);
	if (found->line > 0 && found->line <= static_cast<std::uint64_t>(std::numeric_limits<int>::max())) {
		line.line = static_cast<int>(found->line);
	}
	return line.file.empty() ? std::nullopt : std::optional(std::move(line));
}

std::string SourceLines::file(std::uint64_t unit, std::uint64_t number) const {
	const auto bytes = unit_at(unit);
	const auto program = bytes ? LineProgram::read(*bytes) : std::nullopt;
	return program ? path_in(*program, number) : std::string();
}

std::string SourceLines::path_in(const LineProgram &program, std::uint64_t number) const {
	return program.file_path(number, [&](bool line_strings, std::uint64_t offset) {
		return (line_strings ? line_strings_ : strings_).read_string(offset);
	});
}

std::uint64_t SourceLines::bytes() const {
	return sequences_.capacity() * sizeof(Sequence) + line_.unpacked_bytes() + line_strings_.unpacked_bytes();
}

} // namespace loopsnoop::stacks
