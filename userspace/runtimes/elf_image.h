// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "foreign/bytes.h"
#include "process/mapping.h"

struct Elf;

namespace loopsnoop::runtimes {

struct ElfSection {
	std::string name;
	std::uint64_t address = 0; // as linked; add the load bias
	std::uint64_t size = 0;
	std::uint64_t file_offset = 0;
	bool in_file = false; // false: .bss and its like
};

// A 64-bit x86 ELF file, read with pread and never mapped: a file that is cut short while it is read gives errors, not SIGBUS.
// Malformed files give fewer symbols and sections. One thread at a time.
class ElfImage {
public:
	// nullopt: not such an ELF file, or none.
	[[nodiscard]] static std::optional<ElfImage> open(std::shared_ptr<const foreign::File> file);

	enum class Tables : std::uint8_t { dynamic, all };
	// Addresses as linked, in the order of `names`; 0 for those that are not defined. From .dynsym, with `all` then from .symtab,
	// which may be large.
	[[nodiscard]] std::vector<std::uint64_t> symbols(std::span<const std::string_view> names, Tables tables) const;
	[[nodiscard]] std::optional<ElfSection> section(std::string_view name) const;
	// The bytes of a section, `max_bytes` of them at most; empty: not there.
	[[nodiscard]] std::vector<std::uint8_t> contents(const ElfSection &section, std::size_t max_bytes) const;
	// What to add to an address as linked, given any mapping of this file (0 for executables linked to a fixed address).
	[[nodiscard]] std::optional<std::uint64_t> load_bias(const process::Mapping &mapping) const;

private:
	struct CloseElf {
		void operator()(Elf *elf) const;
	};

	ElfImage(std::shared_ptr<const foreign::File> file, Elf *elf) : file_(std::move(file)), elf_(elf) {}

	std::shared_ptr<const foreign::File> file_; // before elf_, which reads from it
	std::unique_ptr<Elf, CloseElf> elf_;
};

} // namespace loopsnoop::runtimes
