// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/result.h"

namespace loopsnoop::collector {

// A mapped BPF array: the kernel writes it while we read. Elements are `stride` bytes apart (values rounded up to 8).
class MappedTable {
public:
	MappedTable() = default;
	MappedTable(MappedTable &&other) noexcept
	    : base_(std::exchange(other.base_, nullptr)), bytes_(other.bytes_), stride_(other.stride_), count_(other.count_) {}
	MappedTable &operator=(MappedTable &&other) noexcept {
		std::swap(base_, other.base_);
		std::swap(bytes_, other.bytes_);
		std::swap(stride_, other.stride_);
		std::swap(count_, other.count_);
		return *this;
	}
	MappedTable(const MappedTable &) = delete;
	MappedTable &operator=(const MappedTable &) = delete;
	~MappedTable() {
		if (base_ != nullptr) {
			munmap(base_, bytes_);
		}
	}

	static Result<MappedTable> map(int fd, std::size_t value_size, std::size_t count, bool writable) {
		MappedTable table;
		const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
		table.stride_ = (value_size + 7) / 8 * 8;
		table.count_ = count;
		table.bytes_ = (table.stride_ * count + page - 1) / page * page;
		void *base = mmap(nullptr, table.bytes_, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
		if (base == MAP_FAILED) {
			return errno_error("map a BPF table");
		}
		table.base_ = base;
		return table;
	}

	[[nodiscard]] std::size_t count() const { return count_; }
	[[nodiscard]] std::byte *at(std::size_t index) const { return static_cast<std::byte *>(base_) + index * stride_; }

private:
	void *base_ = nullptr;
	std::size_t bytes_ = 0;
	std::size_t stride_ = 0;
	std::size_t count_ = 0;
};

} // namespace loopsnoop::collector
