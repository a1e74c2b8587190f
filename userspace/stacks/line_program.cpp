// SPDX-License-Identifier: Apache-2.0
#include "stacks/line_program.h"

#include <dwarf.h>

#include <algorithm>
#include <filesystem>

namespace loopsnoop::stacks {
namespace {

constexpr std::size_t max_path_bytes = 4096;
constexpr std::uint8_t max_formats = 16;

struct EntryFormat {
	std::uint64_t content = 0;
	std::uint64_t form = 0;
};

struct Entry {
	std::string path;
	std::uint64_t directory = 0;
};

std::vector<EntryFormat> read_formats(ByteCursor &cursor) {
	const auto count = cursor.fixed<std::uint8_t>();
	std::vector<EntryFormat> formats;
	for (std::uint8_t i = 0; i < count && count <= max_formats; ++i) {
		const std::uint64_t content = cursor.uleb();
		formats.push_back({content, cursor.uleb()});
	}
	return formats;
}

// The value of a form that is a number or the place of a string; strings themselves go to `text`. False: a form not used here.
bool read_form(ByteCursor &cursor, std::uint64_t form, bool wide, std::uint64_t &value, std::string_view &text) {
	switch (form) {
	case DW_FORM_string: text = cursor.c_string(); return true;
	case DW_FORM_line_strp:
	case DW_FORM_strp: value = wide ? cursor.fixed<std::uint64_t>() : cursor.fixed<std::uint32_t>(); return true;
	case DW_FORM_udata: value = cursor.uleb(); return true;
	case DW_FORM_data1: value = cursor.fixed<std::uint8_t>(); return true;
	case DW_FORM_data2: value = cursor.fixed<std::uint16_t>(); return true;
	case DW_FORM_data4: value = cursor.fixed<std::uint32_t>(); return true;
	case DW_FORM_data8: value = cursor.fixed<std::uint64_t>(); return true;
	case DW_FORM_data16: static_cast<void>(cursor.block(16)); return true;
	case DW_FORM_block: static_cast<void>(cursor.block(cursor.uleb())); return true;
	default: return false;
	}
}

// Reads a whole table of directories or files and gives back the entry of that number.
std::optional<Entry> read_table(ByteCursor &cursor, bool wide, std::uint64_t wanted, const StringAt &string_at) {
	const std::vector<EntryFormat> formats = read_formats(cursor);
	const std::uint64_t count = cursor.uleb();
	std::optional<Entry> found;
	// Without formats the entries have no bytes, and a count from the file would be time without bound.
	for (std::uint64_t i = 0; i < count && !formats.empty() && cursor.ok(); ++i) {
		Entry entry;
		for (const EntryFormat &format : formats) {
			std::uint64_t value = 0;
			std::string_view text;
			if (!read_form(cursor, format.form, wide, value, text)) {
				return std::nullopt;
			}
			if (i != wanted) {
				continue;
			}
			if (format.content == DW_LNCT_path) {
				entry.path = format.form == DW_FORM_string ? std::string(text.substr(0, max_path_bytes))
				                                           : string_at(format.form == DW_FORM_line_strp, value);
			} else if (format.content == DW_LNCT_directory_index) {
				entry.directory = value;
			}
		}
		if (i == wanted) {
			found = std::move(entry);
		}
	}
	return cursor.ok() ? found : std::nullopt;
}

std::string joined(const std::string &directory, const std::string &path) {
	return path.empty() || path.front() == '/' || directory.empty() ? path : directory + "/" + path;
}

// Meson, and ccache with a base directory, hand the compiler paths that go up from the directory of the build:
// /src/build/../file.c.
std::string plain(const std::string &path) { return std::filesystem::path(path).lexically_normal().string(); }

} // namespace

std::optional<LineProgram> LineProgram::read(std::span<const std::uint8_t> unit) {
	ByteCursor cursor(unit);
	LineProgram program;
	program.wide_ = cursor.fixed<std::uint32_t>() == 0xffffffffU;
	if (program.wide_) {
		static_cast<void>(cursor.fixed<std::uint64_t>());
	}
	program.version_ = cursor.fixed<std::uint16_t>();
	if (program.version_ < 2 || program.version_ > 5) {
		return std::nullopt;
	}
	if (program.version_ == 5 && (cursor.fixed<std::uint8_t>() != 8 || cursor.fixed<std::uint8_t>() != 0)) {
		return std::nullopt; // addresses of another width, or segments
	}
	const std::uint64_t header_bytes = program.wide_ ? cursor.fixed<std::uint64_t>() : cursor.fixed<std::uint32_t>();
	ByteCursor header(cursor.block(header_bytes));
	program.program_ = cursor.rest();
	program.minimum_instruction_ = header.fixed<std::uint8_t>();
	if (program.version_ >= 4) {
		static_cast<void>(header.fixed<std::uint8_t>()); // operations an instruction: 1 on this machine
	}
	static_cast<void>(header.fixed<std::uint8_t>()); // whether rows are statements at first
	program.line_base_ = header.fixed<std::int8_t>();
	program.line_range_ = header.fixed<std::uint8_t>();
	program.opcode_base_ = header.fixed<std::uint8_t>();
	if (program.line_range_ == 0 || program.opcode_base_ == 0) {
		return std::nullopt;
	}
	program.operand_counts_ = header.block(program.opcode_base_ - 1U);
	program.tables_ = header.rest();
	return cursor.ok() && header.ok() ? std::optional(program) : std::nullopt;
}

void LineProgram::run(const std::function<bool(const LineRow &)> &row) const {
	ByteCursor cursor(program_);
	LineRow state;
	const auto emit = [&] { return row(state); };
	const auto advance = [&](std::uint64_t operations) { state.address += operations * minimum_instruction_; };
	while (!cursor.at_end()) {
		const auto opcode = cursor.fixed<std::uint8_t>();
		if (opcode >= opcode_base_) {
			const unsigned adjusted = opcode - opcode_base_;
			advance(adjusted / line_range_);
			state.line += static_cast<std::uint64_t>(std::int64_t{line_base_} + adjusted % line_range_);
			if (!emit()) {
				return;
			}
			continue;
		}
		switch (opcode) {
		case 0: {
			ByteCursor extended(cursor.block(cursor.uleb()));
			switch (extended.fixed<std::uint8_t>()) {
			case DW_LNE_end_sequence:
				state.end_sequence = true;
				if (!emit()) {
					return;
				}
				state = {};
				break;
			case DW_LNE_set_address: state.address = extended.fixed<std::uint64_t>(); break;
			default: break;
			}
			break;
		}
		case DW_LNS_copy:
			if (!emit()) {
				return;
			}
			break;
		case DW_LNS_advance_pc: advance(cursor.uleb()); break;
		case DW_LNS_advance_line: state.line += static_cast<std::uint64_t>(cursor.sleb()); break;
		case DW_LNS_set_file: state.file = cursor.uleb(); break;
		case DW_LNS_const_add_pc: advance((255U - opcode_base_) / line_range_); break;
		case DW_LNS_fixed_advance_pc: state.address += cursor.fixed<std::uint16_t>(); break;
		default:
			for (std::uint8_t i = 0; i < operand_counts_[opcode - 1U]; ++i) {
				static_cast<void>(cursor.uleb());
			}
			break;
		}
	}
}

std::string LineProgram::file_path(std::uint64_t number, const StringAt &string_at) const {
	return version_ == 5 ? path_since_5(number, string_at) : path_before_5(number);
}

std::string LineProgram::path_before_5(std::uint64_t number) const {
	ByteCursor directories(tables_);
	ByteCursor files(tables_);
	while (files.ok() && !files.c_string().empty()) {
	}
	for (std::uint64_t i = 1; files.ok(); ++i) {
		const std::string_view name = files.c_string();
		const std::uint64_t directory = files.uleb();
		static_cast<void>(files.uleb()); // time
		static_cast<void>(files.uleb()); // length
		if (name.empty() || !files.ok()) {
			break;
		}
		if (i != number) {
			continue;
		}
		std::string_view found;
		for (std::uint64_t at = 1; at <= directory && directories.ok(); ++at) {
			found = directories.c_string();
			if (found.empty()) {
				break;
			}
		}
		return plain(joined(std::string(found.substr(0, max_path_bytes)), std::string(name.substr(0, max_path_bytes))));
	}
	return {};
}

std::string LineProgram::path_since_5(std::uint64_t number, const StringAt &string_at) const {
	// Directories come first, but which one is asked for stands with the files.
	ByteCursor cursor(tables_);
	const auto compiled_in = read_table(cursor, wide_, 0, string_at);
	const auto file = read_table(cursor, wide_, number, string_at);
	if (!file || file->path.empty()) {
		return {};
	}
	ByteCursor again(tables_);
	const auto directory = read_table(again, wide_, file->directory, string_at);
	std::string path = joined(directory ? directory->path : std::string(), file->path);
	return plain(joined(compiled_in ? compiled_in->path : std::string(), path));
}

} // namespace loopsnoop::stacks
