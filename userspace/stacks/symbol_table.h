// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "elf/image.h"

namespace loopsnoop::stacks {

struct FoundSymbol {
	std::string name;        // as in the file, without "@VERSION"
	std::uint64_t start = 0; // ELF address
	bool sized = true;       // false: the symbol has no size, its end is that of the next symbol or of its section
};

// The functions of one .symtab or .dynsym, sorted: 16 bytes each. The names stay in the file until one is asked for.
class SymbolTable {
public:
	// `section`: SHT_SYMTAB or SHT_DYNSYM. A broken table is an empty one; entries past a million are not read.
	[[nodiscard]] static SymbolTable read(std::shared_ptr<const elf::Image> image, const elf::Section &section);

	// The innermost function whose bytes hold the address; of several names for it the one that people know: global before
	// local, fewest leading underscores, shortest. nullopt: no function, never the nearest one.
	[[nodiscard]] std::optional<FoundSymbol> find(std::uint64_t address) const;
	[[nodiscard]] std::size_t bytes() const {
		return entries_.capacity() * sizeof(Entry) + (image_ ? image_->bytes().memory_bytes() : 0);
	}
	[[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
	struct Entry {
		std::uint32_t start; // from base_
		std::uint32_t length;
		std::uint32_t name; // in the string table
		bool local;
		bool sized;
	};
	[[nodiscard]] std::string name_of(const Entry &entry) const;
	[[nodiscard]] std::string best_name(std::size_t index) const;
	void bound_unsized();

	std::shared_ptr<const elf::Image> image_;
	std::uint64_t base_ = 0;
	std::uint64_t names_offset_ = 0;
	std::uint64_t names_bytes_ = 0;
	std::vector<Entry> entries_; // by start
};

} // namespace loopsnoop::stacks
