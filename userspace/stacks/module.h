// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "elf/image.h"
#include "stacks/cfi_table.h"
#include "stacks/inlined_calls.h"
#include "stacks/open_image.h"
#include "stacks/source_lines.h"
#include "stacks/symbol_table.h"

namespace loopsnoop::stacks {

// What is known of one instruction.
struct Place {
	std::optional<std::string> function;
	std::optional<std::string> file;
	std::optional<int> line;
};

// Where to search for the separate debug file: only the first lookup in a module asks.
struct DebugSearch {
	std::string path; // of the module, as the target sees it
	OpenInTarget open;
};

// One ELF file, shared by all processes that map it: its call-frame rules and its names, each read when first asked for and
// kept per address, so that a stack seen before costs hash lookups only. The caches are emptied when they are full.
//
// When the elf::WorkLimit in force is used up, there are no names and no rules, and nothing of that is remembered: the next stack
// tries again. A file that three times took half of what a stack may cost is not asked for lines any more, then not for symbols
// and rules.
class Module {
public:
	explicit Module(std::shared_ptr<const elf::Image> image) : image_(std::move(image)), cfi_(image_) {}

	[[nodiscard]] const elf::Image &image() const { return *image_; }

	// nullptr: nothing describes the address. Valid until the next call.
	[[nodiscard]] const UnwindRow *row(std::uint64_t address);
	// Innermost first: the functions that were inlined there, then the one that has code of its own. Never empty.
	[[nodiscard]] const std::vector<Place> &places(std::uint64_t address, const DebugSearch &search);

	// What symbol tables and indexes take in memory; dropped, they are read again when needed.
	[[nodiscard]] std::size_t table_bytes() const;
	void drop_tables();
	// What is kept of single addresses.
	[[nodiscard]] std::size_t known_bytes() const { return known_bytes_; }
	void drop_known();
	// For the cache: the number of the last stack that went through here.
	void used(std::uint64_t stack_number) { last_used_ = stack_number; }
	[[nodiscard]] std::uint64_t last_used() const { return last_used_; }

private:
	// Whether what was read since is whole; if not, it is dropped.
	[[nodiscard]] bool is_whole(std::uint64_t began_ns);
	void load_symbols(const DebugSearch &search);
	[[nodiscard]] std::optional<std::string> function_at(std::uint64_t address);
	void open_lines();
	[[nodiscard]] std::vector<Place> expand(std::uint64_t address);

	std::shared_ptr<const elf::Image> image_;
	CfiTable cfi_;
	std::unordered_map<std::uint64_t, std::optional<UnwindRow>> rows_;
	std::unordered_map<std::uint64_t, std::vector<Place>> places_;
	std::size_t known_bytes_ = 0; // of both, about
	std::vector<Place> unsure_;   // what is not remembered
	int strikes_ = 0;
	bool debug_searched_ = false;
	std::shared_ptr<const elf::Image> debug_image_;
	bool symbols_loaded_ = false;
	std::vector<SymbolTable> symbols_;
	bool has_lines_ = true; // until opening them failed
	std::unique_ptr<SourceLines> lines_;
	std::unique_ptr<InlinedCalls> inlined_; // of the same file as lines_; may be none
	std::uint64_t last_used_ = 0;
};

} // namespace loopsnoop::stacks
