// SPDX-License-Identifier: Apache-2.0
#include "stacks/module.h"

#include <elf.h>

#include <limits>
#include <string_view>

#include "stacks/demangle.h"

namespace loopsnoop::stacks {
namespace {

constexpr std::size_t max_rows = 2048;   // about 300 bytes each; a Python server's stacks come to some hundred
constexpr std::size_t max_places = 4096; // about 250 bytes each
constexpr std::uint64_t max_line = std::numeric_limits<int>::max();

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

const ElfSection *table_of_type(const ElfImage &image, std::uint32_t type) {
	for (const ElfSection &section : image.sections()) {
		if (section.type == type && section.bytes > 0) {
			return &section;
		}
	}
	return nullptr;
}

} // namespace

const UnwindRow *Module::row(std::uint64_t address) {
	auto known = rows_.find(address);
	if (known == rows_.end()) {
		if (rows_.size() >= max_rows) {
			rows_.clear();
		}
		known = rows_.emplace(address, cfi_.find(address)).first;
	}
	return known->second ? &*known->second : nullptr;
}

const std::vector<Place> &Module::places(std::uint64_t address, const DebugSearch &search) {
	if (const auto known = places_.find(address); known != places_.end()) {
		return known->second;
	}
	if (places_.size() >= max_places) {
		places_.clear();
	}
	load_symbols(search);
	return places_.emplace(address, expand(address)).first->second;
}

// A function and a place are of one kind: the line table speaks of the innermost inlined function, the symbol table of the one
// that has code of its own, and only .debug_info says how the two hang together. Where that cannot be read, the place is shown if
// it is in the unit's own source, and left out if it is in a header.
std::vector<Place> Module::expand(std::uint64_t address) {
	Place own;
	own.function = function_at(address);
	open_lines();
	const auto line = lines_ ? lines_->find(address) : std::nullopt;
	if (!line) {
		return {own};
	}
	Place at{std::nullopt, line->file, line->line};
	const auto inlined = inlined_ ? inlined_->find(address) : std::nullopt;
	if (inlined && !inlined->known) {
		constexpr std::uint64_t first_file = 1;
		const std::string source = inlined->source.empty() ? lines_->file(inlined->line_unit, first_file) : inlined->source;
		if (file_name(line->file) != file_name(source)) {
			return {own};
		}
	}
	std::vector<Place> places;
	for (const InlinedCall &call : inlined ? inlined->calls : std::vector<InlinedCall>()) {
		at.function = call.function.empty() ? std::nullopt : std::optional(demangle(call.function));
		places.push_back(std::move(at));
		at = Place();
		if (std::string file = lines_->file(inlined->line_unit, call.call_file); !file.empty()) {
			at.file = std::move(file);
			at.line =
			    call.call_line > 0 && call.call_line <= max_line ? std::optional(static_cast<int>(call.call_line)) : std::nullopt;
		}
	}
	at.function = std::move(own.function);
	places.push_back(std::move(at));
	return places;
}

void Module::load_symbols(const DebugSearch &search) {
	if (!debug_searched_) {
		debug_searched_ = true;
		debug_image_ = find_debug_file(*image_, search.path, search.open);
	}
	if (symbols_loaded_) {
		return;
	}
	symbols_loaded_ = true;
	// .symtab holds all that .dynsym holds: the first full table is enough.
	if (const ElfSection *const full = table_of_type(*image_, SHT_SYMTAB)) {
		symbols_.push_back(SymbolTable::read(image_, *full));
		return;
	}
	if (const ElfSection *const full = debug_image_ ? table_of_type(*debug_image_, SHT_SYMTAB) : nullptr) {
		symbols_.push_back(SymbolTable::read(debug_image_, *full));
		return;
	}
	if (const ElfSection *const exported = table_of_type(*image_, SHT_DYNSYM)) {
		symbols_.push_back(SymbolTable::read(image_, *exported));
	}
	// MiniDebugInfo leaves out what .dynsym has.
	if (const auto mini = unpack_mini_debug_info(*image_)) {
		if (const ElfSection *const rest = table_of_type(*mini, SHT_SYMTAB)) {
			symbols_.push_back(SymbolTable::read(mini, *rest));
		}
	}
}

std::optional<std::string> Module::function_at(std::uint64_t address) {
	std::optional<FoundSymbol> best;
	for (const SymbolTable &table : symbols_) {
		auto found = table.find(address);
		if (found && (!best || found->start > best->start || (found->sized && !best->sized))) {
			best = std::move(found);
		}
	}
	if (!best) {
		return std::nullopt;
	}
	if (!best->sized) {
		// Where it ends is a guess: it must not be the name of another function that begins in between. A table of exported
		// symbols leaves most functions out, so the guess is worth nothing there.
		const UnwindRow *const described = row(address);
		const bool other_function = described != nullptr && described->function_start > best->start;
		const bool full_table = table_of_type(*image_, SHT_SYMTAB) != nullptr || debug_image_ != nullptr;
		if (other_function || !full_table) {
			return std::nullopt;
		}
	}
	return demangle(best->name);
}

void Module::open_lines() {
	if (!has_lines_ || lines_) {
		return;
	}
	for (const auto &image : {image_, debug_image_}) {
		lines_ = image ? SourceLines::open(image) : nullptr;
		if (lines_) {
			inlined_ = InlinedCalls::open(image);
			return;
		}
	}
	has_lines_ = false;
}

std::size_t Module::table_bytes() const {
	std::size_t sum = (lines_ ? lines_->bytes() : 0) + (inlined_ ? inlined_->bytes() : 0);
	for (const SymbolTable &table : symbols_) {
		sum += table.bytes();
	}
	return sum;
}

void Module::drop_tables() {
	symbols_.clear();
	symbols_.shrink_to_fit();
	symbols_loaded_ = false;
	lines_.reset();
	inlined_.reset();
}

} // namespace loopsnoop::stacks
