// SPDX-License-Identifier: Apache-2.0
#include "stacks/symbol_table.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <tuple>

#include "elf/work_limit.h"

namespace loopsnoop::stacks {
namespace {

constexpr std::uint64_t max_symbols = 1'000'000; // Debian's node has 185,000
constexpr std::size_t max_name_bytes = 4096;
constexpr int max_enclosing = 32; // symbols tried backwards from the address: nested ones are rare and few
constexpr int max_aliases = 64;
constexpr std::uint64_t chunk_symbols = 2048;

// Assemblers mark code and data with these; ".L" are labels that the assembler should have dropped.
bool is_function_name(std::string_view name) { return !name.empty() && name.front() != '$' && !name.starts_with(".L"); }

std::size_t leading_underscores(std::string_view name) { return std::min(name.find_first_not_of('_'), name.size()); }

} // namespace

SymbolTable SymbolTable::read(std::shared_ptr<const elf::Image> image, const elf::Section &section) {
	SymbolTable table;
	const std::vector<elf::Section> &sections = image->sections();
	if (section.link >= sections.size() || sections[section.link].type == SHT_NOBITS || section.type == SHT_NOBITS ||
	    (section.flags & SHF_COMPRESSED) != 0 || (sections[section.link].flags & SHF_COMPRESSED) != 0) {
		return table;
	}
	table.names_offset_ = sections[section.link].offset;
	table.names_bytes_ = sections[section.link].bytes;
	// Distances of 32 bits from the first code address are enough: x86-64 code is built for 2 GiB (4 GiB with gaps).
	table.base_ = std::numeric_limits<std::uint64_t>::max();
	for (const elf::Section &candidate : sections) {
		if ((candidate.flags & SHF_EXECINSTR) != 0 && (candidate.flags & SHF_ALLOC) != 0) {
			table.base_ = std::min(table.base_, candidate.address);
		}
	}
	const std::uint64_t count = std::min(section.bytes / sizeof(Elf64_Sym), max_symbols);
	std::vector<Elf64_Sym> chunk(std::min(count, chunk_symbols));
	const std::span into(reinterpret_cast<std::uint8_t *>(chunk.data()), chunk.size() * sizeof(Elf64_Sym));
	for (std::uint64_t done = 0; done < count && !elf::WorkLimit::used_up();) {
		const std::size_t got = image->bytes().read_some(section.offset + done * sizeof(Elf64_Sym), into) / sizeof(Elf64_Sym);
		const std::size_t usable = std::min<std::uint64_t>(got, count - done);
		for (std::size_t i = 0; i < usable; ++i) {
			const Elf64_Sym &symbol = chunk[i];
			const auto type = ELF64_ST_TYPE(symbol.st_info);
			if ((type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE) || symbol.st_shndx == SHN_UNDEF ||
			    symbol.st_shndx >= sections.size() || symbol.st_name == 0 || symbol.st_name >= table.names_bytes_) {
				continue;
			}
			const elf::Section &home = sections[symbol.st_shndx];
			const std::uint64_t start = symbol.st_value - table.base_;
			const std::uint64_t room = home.address + home.bytes - symbol.st_value; // to the end of its section
			if ((home.flags & SHF_EXECINSTR) == 0 || symbol.st_value < home.address || room > home.bytes || room == 0 ||
			    start > std::numeric_limits<std::uint32_t>::max()) {
				continue;
			}
			// Without a size the room is kept for now; bound_unsized() cuts it at the next symbol.
			const std::uint64_t length =
			    std::min({symbol.st_size != 0 ? symbol.st_size : room, room, std::uint64_t{0xffffffffU}});
			table.entries_.push_back({static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(length), symbol.st_name,
			                          ELF64_ST_BIND(symbol.st_info) == STB_LOCAL, symbol.st_size != 0});
		}
		if (usable == 0) {
			break;
		}
		done += usable;
	}
	std::sort(table.entries_.begin(), table.entries_.end(),
	          [](const Entry &a, const Entry &b) { return std::tie(a.start, a.length) < std::tie(b.start, b.length); });
	table.image_ = std::move(image);
	table.bound_unsized();
	table.entries_.shrink_to_fit();
	return table;
}

void SymbolTable::bound_unsized() {
	std::uint32_t next = std::numeric_limits<std::uint32_t>::max(); // start of the first symbol after the one in hand
	for (std::size_t i = entries_.size(); i-- > 0;) {
		Entry &entry = entries_[i];
		if (i + 1 < entries_.size() && entries_[i + 1].start != entry.start) {
			next = entries_[i + 1].start;
		}
		if (!entry.sized) {
			entry.length = std::min(entry.length, next - entry.start);
		}
	}
}

std::string SymbolTable::name_of(const Entry &entry) const {
	std::string name = image_->bytes().read_string(names_offset_ + entry.name,
	                                               std::min<std::uint64_t>(max_name_bytes, names_bytes_ - entry.name));
	if (const std::size_t at = name.find('@'); at != std::string::npos && at > 0) {
		name.resize(at);
	}
	return name;
}

std::string SymbolTable::best_name(std::size_t index) const {
	const std::uint32_t start = entries_[index].start;
	while (index > 0 && entries_[index - 1].start == start) {
		--index;
	}
	std::string best;
	bool best_local = true;
	for (int i = 0; i < max_aliases && index < entries_.size() && entries_[index].start == start; ++i, ++index) {
		std::string name = name_of(entries_[index]);
		if (!is_function_name(name)) {
			continue;
		}
		const bool local = entries_[index].local;
		const auto rank = [](bool is_local, const std::string &text) {
			return std::tuple(is_local, leading_underscores(text), text.size(), text);
		};
		if (best.empty() || rank(local, name) < rank(best_local, best)) {
			best = std::move(name);
			best_local = local;
		}
	}
	return best;
}

std::optional<FoundSymbol> SymbolTable::find(std::uint64_t address) const {
	const std::uint64_t distance = address - base_;
	if (address < base_ || distance > std::numeric_limits<std::uint32_t>::max()) {
		return std::nullopt;
	}
	const auto after = std::upper_bound(entries_.begin(), entries_.end(), distance,
	                                    [](std::uint64_t wanted, const Entry &entry) { return wanted < entry.start; });
	// Backwards: the innermost symbol that holds the address; one with a size before one without.
	std::optional<std::size_t> unsized;
	std::size_t index = static_cast<std::size_t>(after - entries_.begin());
	for (int tries = 0; tries < max_enclosing && index-- > 0; ++tries) {
		const Entry &entry = entries_[index];
		if (distance - entry.start >= entry.length) {
			continue;
		}
		if (!entry.sized) {
			unsized = unsized.value_or(index);
			continue;
		}
		std::string name = best_name(index);
		if (!name.empty()) {
			return FoundSymbol{std::move(name), base_ + entry.start, true};
		}
	}
	if (unsized) {
		std::string name = best_name(*unsized);
		if (!name.empty()) {
			return FoundSymbol{std::move(name), base_ + entries_[*unsized].start, false};
		}
	}
	return std::nullopt;
}

} // namespace loopsnoop::stacks
