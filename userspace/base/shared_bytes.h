// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace loopsnoop {

// One cache's part of a number of bytes that several caches share: what one target makes a cache hold is bounded, and so must be
// what many targets make all caches hold. Moves with its cache, and gives its part back when it goes. Any thread.
class SharedBytes {
public:
	explicit SharedBytes(std::atomic<std::size_t> &all) : all_(&all) {}
	SharedBytes(SharedBytes &&other) noexcept : all_(other.all_), mine_(std::exchange(other.mine_, 0)) {}
	SharedBytes &operator=(SharedBytes &&other) noexcept {
		if (this != &other) {
			clear();
			all_ = other.all_;
			mine_ = std::exchange(other.mine_, 0);
		}
		return *this;
	}
	SharedBytes(const SharedBytes &) = delete;
	SharedBytes &operator=(const SharedBytes &) = delete;
	~SharedBytes() { clear(); }

	void add(std::size_t bytes) {
		mine_ += bytes;
		*all_ += bytes;
	}
	void remove(std::size_t bytes) {
		mine_ -= bytes;
		*all_ -= bytes;
	}
	void clear() { remove(mine_); }
	[[nodiscard]] std::size_t mine() const { return mine_; }
	[[nodiscard]] std::size_t all() const { return *all_; }

private:
	std::atomic<std::size_t> *all_;
	std::size_t mine_ = 0;
};

} // namespace loopsnoop
