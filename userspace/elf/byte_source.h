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

#include "base/shared_bytes.h"
#include "foreign/bytes.h"

namespace loopsnoop::elf {

// Bytes of an ELF file or of an ELF image in memory, read in pieces by offset.
// Files are read and never mapped: a file that its owner truncates while it is read gives a short read here, where a
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
	// What it holds in memory.
	[[nodiscard]] virtual std::uint64_t memory_bytes() const { return 0; }
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
	[[nodiscard]] std::uint64_t memory_bytes() const override { return bytes_.size(); }
	[[nodiscard]] std::size_t read_some(std::uint64_t offset, std::span<std::uint8_t> into) const override;

private:
	std::vector<std::uint8_t> bytes_;
};

// A part of the 32 MiB that all that is held unpacked may have together.
class UnpackedRoom {
public:
	static constexpr std::uint64_t max_bytes_of_all = 32ULL * 1024 * 1024;
	// nullptr: there is no room, which the WorkLimit in force then knows.
	[[nodiscard]] static std::unique_ptr<UnpackedRoom> take(std::uint64_t bytes);
	explicit UnpackedRoom(std::uint64_t bytes);

private:
	SharedBytes bytes_;
};

// Bytes that lay packed in a file.
class UnpackedBytes final : public ByteSource {
public:
	UnpackedBytes(std::unique_ptr<UnpackedRoom> room, std::vector<std::uint8_t> bytes)
	    : room_(std::move(room)), bytes_(std::move(bytes)) {}
	[[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
	[[nodiscard]] std::uint64_t memory_bytes() const override { return bytes_.size(); }
	[[nodiscard]] std::size_t read_some(std::uint64_t offset, std::span<std::uint8_t> into) const override {
		return bytes_.read_some(offset, into);
	}

private:
	std::unique_ptr<UnpackedRoom> room_;
	MemoryBytes bytes_;
};

} // namespace loopsnoop::elf
