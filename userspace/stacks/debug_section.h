// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "elf/image.h"

namespace loopsnoop::stacks {

// The bytes of one .debug_ section: where they lie in the file, or unpacked. Offsets are those of the section; what lies outside
// it is not there.
class DebugSection {
public:
	DebugSection() = default;
	// An empty one: there is none, or it is broken, or larger than 16 MiB unpacked.
	DebugSection(const std::shared_ptr<const elf::Image> &image, std::string_view name);

	[[nodiscard]] bool empty() const { return bytes_ == 0; }
	[[nodiscard]] std::uint64_t size() const { return bytes_; }
	// What it takes in memory.
	[[nodiscard]] std::uint64_t unpacked_bytes() const { return unpacked_ ? bytes_ : 0; }

	template <typename T> [[nodiscard]] std::optional<T> read(std::uint64_t offset) const {
		return holds(offset, sizeof(T)) ? source_->read<T>(offset_ + offset) : std::nullopt;
	}
	// As many as there are, `bytes` at most.
	[[nodiscard]] std::vector<std::uint8_t> read_up_to(std::uint64_t offset, std::uint64_t bytes) const;
	[[nodiscard]] std::optional<std::vector<std::uint8_t>> read_bytes(std::uint64_t offset, std::uint64_t bytes) const;
	// Up to the NUL, or 4 KiB; empty outside the section.
	[[nodiscard]] std::string read_string(std::uint64_t offset) const;

private:
	[[nodiscard]] bool holds(std::uint64_t offset, std::uint64_t bytes) const {
		return offset <= bytes_ && bytes <= bytes_ - offset;
	}

	std::shared_ptr<const elf::ByteSource> source_;
	std::uint64_t offset_ = 0;
	std::uint64_t bytes_ = 0;
	bool unpacked_ = false;
};

} // namespace loopsnoop::stacks
