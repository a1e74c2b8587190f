// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/page_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace loopsnoop::runtimes::cpython {

PageCache::PageCache(const process::Memory &memory, Limits limits)
    : memory_(memory), pages_left_(limits.pages), until_(std::chrono::steady_clock::now() + limits.time) {}

bool PageCache::may_read(std::size_t pages) const {
	exhausted_ = exhausted_ || spent_ + pages > pages_left_ || std::chrono::steady_clock::now() > until_;
	if (exhausted_) {
		return false;
	}
	spent_ += pages;
	return true;
}

const PageCache::Page *PageCache::page(std::uint64_t number) const {
	if (number == last_number_ && last_ != nullptr) {
		return last_;
	}
	auto found = pages_.find(number);
	if (found == pages_.end()) {
		if (!may_read(1)) {
			return nullptr;
		}
		auto page = std::make_unique<Page>();
		if (!memory_.read(number * page_size, *page)) {
			page.reset();
		}
		found = pages_.emplace(number, std::move(page)).first;
	}
	last_number_ = number;
	last_ = found->second.get();
	return last_;
}

std::size_t PageCache::read_some(std::uint64_t address, std::span<std::byte> into) const {
	std::size_t done = 0;
	while (done < into.size()) {
		const std::uint64_t at = address + done;
		if (at < address) {
			break;
		}
		const Page *from = page(at / page_size);
		if (from == nullptr) {
			return may_read(1) ? done + memory_.read_some(at, into.subspan(done)) : done;
		}
		const std::size_t offset = at % page_size;
		const std::size_t bytes = std::min(page_size - offset, into.size() - done);
		std::memcpy(into.data() + done, from->data() + offset, bytes);
		done += bytes;
	}
	return done;
}

void PageCache::prefetch(std::span<const std::uint64_t> addresses, std::size_t bytes) const {
	std::vector<std::uint64_t> numbers;
	for (const std::uint64_t address : addresses) {
		const std::uint64_t last = address + bytes - 1;
		for (std::uint64_t number = address / page_size; last >= address && number <= last / page_size; ++number) {
			if (!pages_.contains(number)) {
				numbers.push_back(number);
			}
		}
	}
	std::ranges::sort(numbers);
	const auto same = std::ranges::unique(numbers);
	numbers.erase(same.begin(), same.end());
	if (numbers.empty() || !may_read(numbers.size())) {
		return;
	}
	std::vector<std::unique_ptr<Page>> pages;
	std::vector<Piece> pieces;
	for (const std::uint64_t number : numbers) {
		pages.push_back(std::make_unique<Page>());
		pieces.push_back({number * page_size, std::span(*pages.back()), false});
	}
	memory_.read_many(pieces);
	for (std::size_t i = 0; i < numbers.size(); ++i) {
		pages_.emplace(numbers[i], pieces[i].read ? std::move(pages[i]) : nullptr);
	}
}

} // namespace loopsnoop::runtimes::cpython
