// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "process/memory.h"

namespace loopsnoop::fuzz {

using Bytes = std::span<const std::uint8_t>;

inline std::string_view text_of(Bytes bytes) {
	return {reinterpret_cast<const char *>(bytes.data()), bytes.size()}; // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
}

// Takes a value off the front; what is missing is zero.
template <typename T> T take(Bytes &bytes) {
	T value{};
	const std::size_t size = std::min(sizeof value, bytes.size());
	if (size != 0) {
		std::memcpy(&value, bytes.data(), size);
	}
	bytes = bytes.subspan(size);
	return value;
}

// A target's memory. The lowest 16 bits of an address say where in the input it lies, so that an input of some hundred bytes has
// pointers into itself, circles among them; beyond the input, and in the first page, nothing can be read.
class InputMemory final : public process::Memory {
public:
	explicit InputMemory(Bytes bytes) : bytes_(bytes) {}

	[[nodiscard]] std::size_t read_some(std::uint64_t address, std::span<std::byte> into) const override {
		constexpr std::uint64_t first_page = 4096;
		const std::size_t offset = address & 0xffffU;
		if (address < first_page || offset >= bytes_.size()) {
			return 0;
		}
		const std::size_t size = std::min(into.size(), bytes_.size() - offset);
		std::memcpy(into.data(), bytes_.data() + offset, size);
		return size;
	}

private:
	Bytes bytes_;
};

} // namespace loopsnoop::fuzz

// libFuzzer's interface; a non-zero result keeps the input out of the corpus.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);
