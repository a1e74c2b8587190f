// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace loopsnoop::stacks {

// Reads DWARF's basic encodings from bytes that may be garbage. A read past the end gives 0 and turns `ok()` false for good.
class ByteCursor {
public:
	explicit ByteCursor(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

	[[nodiscard]] bool ok() const { return ok_; }
	[[nodiscard]] bool at_end() const { return !ok_ || at_ >= bytes_.size(); }
	[[nodiscard]] std::size_t position() const { return at_; }

	template <typename T> T fixed() {
		T value{};
		if (!take(sizeof(T))) {
			return value;
		}
		std::memcpy(&value, bytes_.data() + at_ - sizeof(T), sizeof(T));
		return value;
	}
	std::uint64_t uleb() {
		std::uint64_t value = 0;
		for (unsigned shift = 0; take(1); shift += 7) {
			const std::uint8_t byte = bytes_[at_ - 1];
			if (shift < 64) {
				value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
			}
			if ((byte & 0x80U) == 0) {
				break;
			}
		}
		return value;
	}
	std::int64_t sleb() {
		std::uint64_t value = 0;
		for (unsigned shift = 0; take(1);) {
			const std::uint8_t byte = bytes_[at_ - 1];
			if (shift < 64) {
				value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
			}
			shift += 7;
			if ((byte & 0x80U) == 0) {
				if (shift < 64 && (byte & 0x40U) != 0) {
					value |= ~0ULL << shift;
				}
				break;
			}
		}
		return static_cast<std::int64_t>(value);
	}
	std::string_view c_string() {
		const std::size_t begin = at_;
		while (take(1)) {
			if (bytes_[at_ - 1] == 0) {
				return {reinterpret_cast<const char *>(bytes_.data() + begin), at_ - 1 - begin};
			}
		}
		return {};
	}
	std::span<const std::uint8_t> block(std::uint64_t count) {
		if (!take(count)) {
			return {};
		}
		return bytes_.subspan(at_ - count, count);
	}
	std::span<const std::uint8_t> rest() { return block(ok_ ? bytes_.size() - at_ : 0); }
	// Relative to where the cursor stands.
	void jump(std::int64_t distance) {
		const std::int64_t target = static_cast<std::int64_t>(at_) + distance;
		if (target < 0 || static_cast<std::uint64_t>(target) > bytes_.size()) {
			ok_ = false;
		} else {
			at_ = static_cast<std::size_t>(target);
		}
	}

private:
	bool take(std::uint64_t count) {
		if (!ok_ || count > bytes_.size() - at_) {
			ok_ = false;
			return false;
		}
		at_ += count;
		return true;
	}

	std::span<const std::uint8_t> bytes_;
	std::size_t at_ = 0;
	bool ok_ = true;
};

} // namespace loopsnoop::stacks
