// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "process/memory.h"
#include "runtimes/v8/layout.h"

namespace loopsnoop::runtimes::v8 {

// Objects of a V8 heap that lives on: the collector may have moved any of them, so each is asked for its type before it is
// believed, and what is not what it should be is nullopt. Pointers are tagged, as V8 keeps them. Any thread.
class Heap {
public:
	Heap(const Layout &layout, const process::Memory &memory) : layout_(layout), memory_(memory) {}

	[[nodiscard]] static bool is_pointer(std::uint64_t word) { return (word & 3U) == 1; }
	// A small integer's value.
	[[nodiscard]] static std::optional<std::int32_t> small(std::uint64_t word) {
		return (word & 0xffffffffU) == 0 ? std::optional(static_cast<std::int32_t>(word >> 32U)) : std::nullopt;
	}

	[[nodiscard]] std::optional<std::uint64_t> word(std::uint64_t object, std::int32_t offset) const;
	[[nodiscard]] std::optional<std::uint16_t> type(std::uint64_t object) const;
	[[nodiscard]] bool is(std::uint64_t object, std::int32_t wanted) const;
	[[nodiscard]] bool is_string(std::uint64_t object) const;
	// UTF-8, of `max_units` units of UTF-16 at most; surrogates that stand alone become U+FFFD.
	[[nodiscard]] std::optional<std::string> text(std::uint64_t string, std::uint32_t max_units) const;
	// Ends of lines in the first `position` units of a string. nullopt: they cannot be read, or are too many to.
	[[nodiscard]] std::optional<int> lines_before(std::uint64_t string, std::uint32_t position) const;

private:
	// Where the characters of a string lie one after the other.
	struct Flat {
		std::uint64_t address = 0;
		std::uint32_t length = 0;
		bool one_byte = false;
	};
	[[nodiscard]] std::optional<Flat> flat(std::uint64_t string) const;

	const Layout &layout_;
	const process::Memory &memory_;
};

} // namespace loopsnoop::runtimes::v8
