// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <span>
#include <string_view>

#include "process/memory.h"

namespace loopsnoop::test {

// A target made of literals. What was not written reads as zero on pages that were written to, and not at all elsewhere.
class FakeMemory final : public process::Memory {
public:
	[[nodiscard]] std::size_t read_some(std::uint64_t address, std::span<std::byte> into) const override {
		++reads;
		for (std::size_t i = 0; i < into.size(); ++i) {
			const auto page = pages_.find((address + i) / page_size);
			if (page == pages_.end()) {
				return i;
			}
			into[i] = page->second.at((address + i) % page_size);
		}
		return into.size();
	}

	void put_bytes(std::uint64_t address, std::span<const std::byte> bytes) {
		for (std::size_t i = 0; i < bytes.size(); ++i) {
			pages_[(address + i) / page_size].at((address + i) % page_size) = bytes[i];
		}
	}
	void put_text(std::uint64_t address, std::string_view text) { put_bytes(address, std::as_bytes(std::span(text))); }
	template <typename T> void put(std::uint64_t address, T value) {
		put_bytes(address, std::as_bytes(std::span<const T, 1>(&value, 1)));
	}

	mutable std::size_t reads = 0; // so far

private:
	static constexpr std::uint64_t page_size = 4096;
	std::map<std::uint64_t, std::array<std::byte, page_size>> pages_;
};

// A target whose memory is noise, another at each read: as of a process that changes while it is read. Many of the
// words are small numbers or lead back to where reading works, so that walks go on for long.
class NoiseMemory final : public process::Memory {
public:
	explicit NoiseMemory(unsigned seed) : random_(seed) {}

	[[nodiscard]] std::size_t read_some(std::uint64_t /*address*/, std::span<std::byte> into) const override {
		++reads;
		if (random_() % 200 == 0) {
			return 0;
		}
		for (std::size_t i = 0; i < into.size(); i += 8) {
			std::uint64_t word = random_();
			switch (random_() % 4) {
			case 0: word %= 300; break;
			case 1: word = 0x7f0000000000 + word % 65536 * 8; break;
			case 2: word = 0x0000000100000000ULL * (word % 8) + 0x64; break; // a one-byte compact string's state, for one
			default: break;
			}
			std::memcpy(&into[i], &word, std::min<std::size_t>(8, into.size() - i));
		}
		return into.size();
	}

	mutable std::size_t reads = 0;

private:
	mutable std::mt19937_64 random_;
};

} // namespace loopsnoop::test
