// SPDX-License-Identifier: Apache-2.0
#include "elf/find_symbols.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "elf/work_limit.h"

namespace loopsnoop::elf {
namespace {

constexpr std::uint64_t max_symbols = 4'000'000;
constexpr std::uint64_t max_string_bytes = 64ULL * 1024 * 1024;
constexpr std::size_t piece_bytes = 64ULL * 1024;
constexpr std::size_t max_places = 4096; // of wanted names in one table of strings: a name may stand there more than once

// Where a wanted name stands in a table of strings.
struct Place {
	std::uint64_t offset;
	std::size_t name;
};

bool may_be_read(const Section &section) { return section.type != SHT_NOBITS && (section.flags & SHF_COMPRESSED) == 0; }

// Linkers let a string stand for its own tails, too: "a_PyRuntime" for "_PyRuntime". So what counts is what ends at a NUL.
void add_tails(std::string_view text, std::uint64_t offset, std::span<const std::string_view> names, std::vector<Place> &places) {
	for (std::size_t i = 0; i < names.size(); ++i) {
		if (!names[i].empty() && text.ends_with(names[i]) && places.size() < max_places) {
			places.push_back({offset + text.size() - names[i].size(), i});
		}
	}
}

std::vector<Place> find_names(const ByteSource &bytes, const Section &strings, std::span<const std::string_view> names) {
	std::size_t longest = 0;
	std::array<bool, 256> is_last{}; // most strings end in another letter than all that are wanted
	for (const std::string_view name : names) {
		longest = std::max(longest, name.size());
		if (!name.empty()) {
			is_last.at(static_cast<std::uint8_t>(name.back())) = true;
		}
	}
	std::vector<Place> places;
	std::string text; // the end of the piece before, then the piece
	std::uint64_t at = 0;
	const std::uint64_t end = std::min(strings.bytes, max_string_bytes);
	while (at < end && !WorkLimit::used_up()) {
		const std::size_t kept = std::min(text.size(), longest);
		text.erase(0, text.size() - kept);
		text.resize(kept + std::min<std::uint64_t>(piece_bytes, end - at));
		const std::span into(reinterpret_cast<std::uint8_t *>(text.data()) + kept, text.size() - kept);
		const std::size_t got = bytes.read_some(strings.offset + at, into);
		text.resize(kept + got);
		for (std::size_t begin = text.find_first_not_of('\0'); begin != std::string::npos;) {
			const std::size_t nul = text.find('\0', begin);
			if (nul == std::string::npos) {
				break;
			}
			if (nul >= kept && is_last.at(static_cast<std::uint8_t>(text[nul - 1]))) { // else it was there with the piece before
				add_tails(std::string_view(text).substr(begin, nul - begin), at + begin - kept, names, places);
			}
			begin = text.find_first_not_of('\0', nul);
		}
		if (got == 0) {
			break;
		}
		at += got;
	}
	std::ranges::sort(places, {}, &Place::offset);
	return places;
}

// Fills the places of `found` that are still 0.
void search_table(const Image &image, const Section &table, std::span<const std::string_view> names,
                  std::vector<std::uint64_t> &found) {
	if (table.link >= image.sections().size() || !may_be_read(table) || !may_be_read(image.sections()[table.link])) {
		return;
	}
	const std::vector<Place> places = find_names(image.bytes(), image.sections()[table.link], names);
	if (places.empty()) {
		return;
	}
	std::vector<Elf64_Sym> symbols(piece_bytes / sizeof(Elf64_Sym));
	const std::uint64_t count = std::min(table.bytes / sizeof(Elf64_Sym), max_symbols);
	for (std::uint64_t done = 0; done < count && !WorkLimit::used_up();) {
		const std::size_t wanted = std::min<std::uint64_t>(symbols.size(), count - done);
		const std::span into(reinterpret_cast<std::uint8_t *>(symbols.data()), wanted * sizeof(Elf64_Sym));
		const std::size_t got = image.bytes().read_some(table.offset + done * sizeof(Elf64_Sym), into) / sizeof(Elf64_Sym);
		for (const Elf64_Sym &symbol : std::span(symbols).first(got)) {
			if (symbol.st_value == 0 || symbol.st_shndx == SHN_UNDEF) {
				continue;
			}
			for (auto place = std::ranges::lower_bound(places, symbol.st_name, {}, &Place::offset);
			     place != places.end() && place->offset == symbol.st_name; ++place) {
				found[place->name] = found[place->name] == 0 ? symbol.st_value : found[place->name];
			}
		}
		if (got == 0) {
			break;
		}
		done += got;
	}
}

} // namespace

std::vector<std::uint64_t> find_symbols(const Image &image, std::span<const std::string_view> names, Tables tables) {
	std::vector<std::uint64_t> found(names.size(), 0);
	for (const std::uint32_t type : {SHT_DYNSYM, SHT_SYMTAB}) {
		if ((type == SHT_SYMTAB && tables == Tables::dynamic) || std::ranges::find(found, 0U) == found.end()) {
			break;
		}
		for (const Section &section : image.sections()) {
			if (section.type == type) {
				search_table(image, section, names, found);
			}
		}
	}
	return found;
}

} // namespace loopsnoop::elf
