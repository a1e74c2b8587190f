// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "elf/image.h"
#include "stacks/cfi_program.h"

namespace loopsnoop::stacks {

// The call frame information of one file: .eh_frame, found through the sorted table of .eh_frame_hdr or, without one, by
// reading it once from end to end; then .debug_frame.
// elfutils' dwarf_cfi_addrframe would do the same, but keeps whole sections in memory (or maps them: SIGBUS) and takes a
// register's number from the file as the size of an array. Here a lookup reads some hundred bytes, and there are 17 registers.
class CfiTable {
public:
	explicit CfiTable(std::shared_ptr<const elf::Image> image);

	// nullopt: nothing describes the address, or what does is broken.
	[[nodiscard]] std::optional<UnwindRow> find(std::uint64_t address);
	// What indexes and common entries take in memory; dropped, they are read again when needed.
	[[nodiscard]] std::size_t table_bytes() const;
	void drop_tables();

private:
	// One frame description and where its parts lie.
	struct Section {
		bool eh = true;           // .eh_frame, not .debug_frame: they differ in how a description points to its common entry
		std::uint64_t offset = 0; // in the file
		std::uint64_t address = 0;
		std::uint64_t bytes = 0;
		bool indexed = false;
		struct Entry {
			std::uint64_t begin;
			std::uint64_t offset; // of the description, in the file
		};
		std::vector<Entry> entries; // sorted by begin
	};
	struct SearchTable {
		std::uint64_t offset = 0;  // of the first pair, in the file
		std::uint64_t address = 0; // of .eh_frame_hdr: what the pairs count from
		std::uint64_t count = 0;
	};
	struct Description {
		std::uint64_t begin = 0;
		std::uint64_t end = 0;
		const CommonEntry *common = nullptr;
		std::vector<std::uint8_t> bytes;
		std::size_t instructions = 0; // where they begin in `bytes`
	};

	void read_search_table();
	void add_section(std::string_view name, bool eh);
	[[nodiscard]] std::optional<std::uint64_t> search(std::uint64_t address) const;
	static void index(const elf::Image &image, CfiTable &table, Section &section);
	[[nodiscard]] std::optional<Description> description_at(const Section &section, std::uint64_t offset, bool with_instructions);
	[[nodiscard]] const CommonEntry *common_at(const Section &section, std::uint64_t offset);
	void drop_common();
	[[nodiscard]] std::optional<UnwindRow> row(const Section &section, std::uint64_t offset, std::uint64_t address);

	std::shared_ptr<const elf::Image> image_;
	std::optional<SearchTable> search_;
	Section eh_frame_;                                      // through the search table, the section's bounds need not be known
	std::vector<Section> scanned_;                          // the ones to read from end to end
	std::unordered_map<std::uint64_t, CommonEntry> common_; // by offset in the file
	std::size_t common_bytes_ = 0;
};

} // namespace loopsnoop::stacks
