// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "foreign/bytes.h"

namespace loopsnoop::stacks {

// Bytes of an ELF file or of an ELF image in memory, read in pieces by offset.
// Files are read and never mapped: a file that its owner truncates while it is looked at gives a short read here, where a
// mapping would give SIGBUS, and only the pieces that were asked for cost memory.
class ByteSource {
public:
	ByteSource() = default;
	ByteSource(const ByteSource &) = delete;
	ByteSource(ByteSource &&) = delete;
	ByteSource &operator=(const ByteSource &) = delete;
	ByteSource &operator=(ByteSource &&) = delete;
	virtual ~ByteSource() = default;

	[[nodiscard]] virtual std::uint64_t size() const = 0;
	// The number of bytes copied, fewer than asked at the end.
	[[nodiscard]] virtual std::size_t read_some(std::uint64_t offset, std::span<std::uint8_t> into) const = 0;

	template <typename T> [[nodiscard]] std::optional<T> read(std::uint64_t offset) const {
		static_assert(std::is_trivially_copyable_v<T>);
		T value{};
		const std::span into(reinterpret_cast<std::uint8_t *>(&value), sizeof(T));
		if (read_some(offset, into) != sizeof(T)) {
			return std::nullopt;
		}
		return value;
	}
	// Exactly `bytes` bytes, or none; nothing is allocated for a range that does not lie inside the source.
	[[nodiscard]] std::optional<std::vector<std::uint8_t>> read_bytes(std::uint64_t offset, std::uint64_t bytes) const;
	// Up to the NUL or to `max_bytes`.
	[[nodiscard]] std::string read_string(std::uint64_t offset, std::size_t max_bytes) const;
};

// Of a file of somebody. The size is the one at opening.
class FileBytes final : public ByteSource {
public:
	explicit FileBytes(std::shared_ptr<const foreign::File> file) : file_(std::move(file)) {}
	[[nodiscard]] std::uint64_t size() const override { return file_->status().size; }
	[[nodiscard]] std::size_t read_some(std::uint64_t offset, std::span<std::uint8_t> into) const override;

private:
	std::shared_ptr<const foreign::File> file_;
};

class MemoryBytes final : public ByteSource {
public:
	explicit MemoryBytes(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {}
	[[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
	[[nodiscard]] std::size_t read_some(std::uint64_t offset, std::span<std::uint8_t> into) const override;

private:
	std::vector<std::uint8_t> bytes_;
};

} // namespace loopsnoop::stacks
