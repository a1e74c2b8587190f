// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>

#include "process/memory.h"

namespace loopsnoop::runtimes::cpython {

// The memory of a target as it was when each page was first asked for: what lies close together, as Python's objects do, is read
// once, and what is read again is the same. What does not lie in a page that can be read whole is read as it is. Bounded: after
// so many pages, or so much time, nothing can be read any more, so that whoever walks through hostile memory comes to an end. One
// thread; `memory` must outlive it.
class PageCache final : public process::Memory {
public:
	struct Limits {
		std::size_t pages = 65'536; // of 4 KiB
		std::chrono::milliseconds time{5'000};
	};

	explicit PageCache(const process::Memory &memory) : PageCache(memory, Limits{}) {}
	PageCache(const process::Memory &memory, Limits limits);

	[[nodiscard]] std::size_t read_some(std::uint64_t address, std::span<std::byte> into) const override;

	// Reads the pages of these objects, `bytes` from each address on, in as few calls as possible.
	void prefetch(std::span<const std::uint64_t> addresses, std::size_t bytes) const;

	// Something was asked for and not read because a limit was reached.
	[[nodiscard]] bool exhausted() const { return exhausted_; }
	// Forgets what was read, not what was spent.
	void clear() {
		pages_.clear();
		last_ = nullptr;
	}
	// As the memory is now, past the cache.
	[[nodiscard]] const process::Memory &now() const { return memory_; }

private:
	static constexpr std::size_t page_size = 4096;
	using Page = std::array<std::byte, page_size>;

	[[nodiscard]] const Page *page(std::uint64_t number) const;
	[[nodiscard]] bool may_read(std::size_t pages) const;

	const process::Memory &memory_;
	std::size_t pages_left_;
	std::chrono::steady_clock::time_point until_;
	// By number; nullptr: could not be read. Kept although reading is const: it is not a change that anybody sees.
	mutable std::unordered_map<std::uint64_t, std::unique_ptr<Page>> pages_;
	mutable std::size_t spent_ = 0;
	mutable bool exhausted_ = false;
	mutable std::uint64_t last_number_ = ~0ULL;
	mutable const Page *last_ = nullptr;
};

// 32 MiB: the states of 10,000 threads, and the frames of most.
inline constexpr PageCache::Limits of_one_snapshot{8192, std::chrono::seconds(2)};

} // namespace loopsnoop::runtimes::cpython
