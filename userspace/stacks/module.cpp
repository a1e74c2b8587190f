// SPDX-License-Identifier: Apache-2.0
#include "stacks/module.h"

#include <elf.h>

#include <limits>
#include <string_view>

#include "elf/work_limit.h"
#include "stacks/demangle.h"

namespace loopsnoop::stacks {
namespace {

constexpr std::size_t max_rows = 2048;   // about 300 bytes each; a Python server's stacks come to some hundred
constexpr std::size_t max_places = 4096; // about 250 bytes each
constexpr std::uint64_t max_line = std::numeric_limits<int>::max();

constexpr std::size_t max_known_bytes = 2ULL * 1024 * 1024;
constexpr std::size_t node_bytes = 32; // what the hash table takes for one, about
constexpr int strikes_for_lines = 3;
constexpr int strikes_for_symbols = 6;
constexpr int strikes_for_rules = 9;

std::size_t bytes_of(const std::vector<Place> &places) {
	std::size_t sum = node_bytes + sizeof(places);
	for (const Place &place : places) {
		sum += sizeof(place) + (place.function ? place.function->capacity() : 0) + (place.file ? place.file->capacity() : 0);
	}
	return sum;
}

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

const elf::Section *table_of_type(const elf::Image &image, std::uint32_t type) {
	for (const elf::Section &section : image.sections()) {
		if (section.type == type && section.bytes > 0) {
			return &section;
		}
	}
	return nullptr;
}

} // namespace

bool Module::is_whole(std::uint64_t began_ns) {
	if (!elf::WorkLimit::hit()) {
		return true;
	}
	// Another file of the process may have taken most of it.
	const bool by_itself = elf::WorkLimit::spent_ns() - began_ns > elf::WorkLimit::max_cpu_ns / 2 ||
	                       table_bytes() > elf::UnpackedRoom::max_bytes_of_all / 2;
	strikes_ += by_itself ? 1 : 0;
	drop_tables();
	return false;
}

void Module::drop_known() {
	rows_.clear();
	places_.clear();
	known_bytes_ = 0;
}

const UnwindRow *Module::row(std::uint64_t address) {
	auto known = rows_.find(address);
	if (known == rows_.end()) {
		if (elf::WorkLimit::hit() || strikes_ >= strikes_for_rules) {
			return nullptr;
		}
		if (rows_.size() >= max_rows || known_bytes_ > max_known_bytes) {
			drop_known();
		}
		const std::uint64_t began_ns = elf::WorkLimit::spent_ns();
		auto found = cfi_.find(address);
		if (!is_whole(began_ns)) {
			return nullptr;
		}
		known_bytes_ += sizeof(*known) + node_bytes + (found ? found->expressions.capacity() : 0);
		known = rows_.emplace(address, std::move(found)).first;
	}
	return known->second ? &*known->second : nullptr;
}

const std::vector<Place> &Module::places(std::uint64_t address, const DebugSearch &search) {
	if (const auto known = places_.find(address); known != places_.end()) {
		return known->second;
	}
	unsure_ = {Place()};
	if (elf::WorkLimit::hit()) {
		return unsure_;
	}
	if (places_.size() >= max_places || known_bytes_ > max_known_bytes) {
		drop_known();
	}
	const std::uint64_t began_ns = elf::WorkLimit::spent_ns();
	load_symbols(search);
	auto found = expand(address);
	if (!is_whole(began_ns)) {
		return unsure_;
	}
	known_bytes_ += bytes_of(found);
	return places_.emplace(address, std::move(found)).first->second;
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
	if (strikes_ >= strikes_for_symbols) {
		return;
	}
	// .symtab holds all that .dynsym holds: the first full table is enough.
	if (const elf::Section *const full = table_of_type(*image_, SHT_SYMTAB)) {
		symbols_.push_back(SymbolTable::read(image_, *full));
		return;
	}
	if (const elf::Section *const full = debug_image_ ? table_of_type(*debug_image_, SHT_SYMTAB) : nullptr) {
		symbols_.push_back(SymbolTable::read(debug_image_, *full));
		return;
	}
	if (const elf::Section *const exported = table_of_type(*image_, SHT_DYNSYM)) {
		symbols_.push_back(SymbolTable::read(image_, *exported));
	}
	// MiniDebugInfo leaves out what .dynsym has.
	if (const auto mini = unpack_mini_debug_info(*image_)) {
		if (const elf::Section *const rest = table_of_type(*mini, SHT_SYMTAB)) {
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
	if (!has_lines_ || lines_ || strikes_ >= strikes_for_lines) {
		return;
	}
	for (const auto &image : {image_, debug_image_}) {
		lines_ = image ? SourceLines::open(image) : nullptr;
		if (lines_) {
			inlined_ = InlinedCalls::open(image);
			return;
		}
	}
	has_lines_ = elf::WorkLimit::hit();
}

std::size_t Module::table_bytes() const {
	std::size_t sum = cfi_.table_bytes() + (lines_ ? lines_->bytes() : 0) + (inlined_ ? inlined_->bytes() : 0);
	for (const SymbolTable &table : symbols_) {
		sum += table.bytes();
	}
	return sum;
}

void Module::drop_tables() {
	symbols_.clear();
	symbols_.shrink_to_fit();
	symbols_loaded_ = false;
	cfi_.drop_tables();
	lines_.reset();
	inlined_.reset();
}

} // namespace loopsnoop::stacks
