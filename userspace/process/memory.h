// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

#include "foreign/memory_piece.h"
#include "process/stand_in.h"

namespace loopsnoop::process {

// The memory of a target, by the addresses that the target itself uses. What is read is whatever lay there at that
// moment: the target runs on, so every value is to be checked before it is followed. Abstract so that tests inject bytes.
class Memory {
public:
	Memory() = default;
	Memory(const Memory &) = default;
	Memory(Memory &&) = default;
	Memory &operator=(const Memory &) = default;
	Memory &operator=(Memory &&) = default;
	virtual ~Memory() = default;

	// Copies from `address` on until `into` is full or a byte cannot be read; returns the number of bytes copied from
	// the beginning, 0 when none (not mapped, process gone, no permission). Never throws.
	[[nodiscard]] virtual std::size_t read_some(std::uint64_t address, std::span<std::byte> into) const = 0;

	// Many pieces of one moment, as far as that goes: of each either all its bytes or, where `read` says so, none that count.
	using Piece = foreign::MemoryPiece;
	virtual void read_many(std::span<Piece> pieces) const;

	// All or nothing: false leaves `into` with unspecified bytes.
	[[nodiscard]] bool read(std::uint64_t address, std::span<std::byte> into) const {
		return read_some(address, into) == into.size();
	}

	template <typename T> [[nodiscard]] std::optional<T> read_value(std::uint64_t address) const {
		static_assert(std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>);
		T value{};
		if (!read(address, std::as_writable_bytes(std::span<T, 1>(&value, 1)))) {
			return std::nullopt;
		}
		return value;
	}

	// The bytes before the first NUL; the first `max_bytes` of them when there is no NUL among those (so a result as long
	// as `max_bytes` may have been cut). nullopt: memory that cannot be read comes before either.
	[[nodiscard]] std::optional<std::string> read_string(std::uint64_t address, std::size_t max_bytes) const;
};

// Memory of a live process, by process_vm_readv(2) in a helper process (foreign/): copies without stopping the target, and
// without waiting for a page that never comes. Each read costs some 20 us: read much at a time. Needs ptrace access (root,
// CAP_SYS_PTRACE or the same user as far as Yama allows). Stateless: any thread may call. A process whose main thread
// has ended but which lives on has no memory under its pid: give the tid of a living thread then.
class TargetMemory final : public Memory {
public:
	explicit TargetMemory(std::uint32_t pid) : pid_(stand_in("/proc", pid)) {}

	[[nodiscard]] std::size_t read_some(std::uint64_t address, std::span<std::byte> into) const override;
	// 256 pieces, or 64 KiB, a question.
	void read_many(std::span<Piece> pieces) const override;

private:
	std::uint32_t pid_;
};

} // namespace loopsnoop::process
