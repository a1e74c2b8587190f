// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory_resource>
#include <vector>

namespace loopsnoop::output {

// Where the JSON values of a record live while its line is written: hundreds of small pieces that all go at once. In a storm of
// stalls malloc() and free() of each were two fifths of loopsnoop's CPU time. One arena a thread; a value stays with the thread
// that made it.
class JsonArena {
public:
	[[nodiscard]] static JsonArena &of_this_thread() {
		static thread_local JsonArena arena;
		return arena;
	}

	[[nodiscard]] void *allocate(std::size_t bytes, std::size_t alignment) {
		void *piece = memory_.allocate(bytes, alignment);
		pieces_++;
		return piece;
	}
	// With the last piece goes what was needed beyond the first block.
	void deallocate() {
		if (--pieces_ == 0) {
			memory_.release();
		}
	}

private:
	// A stall with one wait takes 78 KB for its line of 5 KB, what is copied on the way included.
	static constexpr std::size_t first_block_bytes = 256 * 1024;

	std::vector<std::byte> first_block_ = std::vector<std::byte>(first_block_bytes);
	std::pmr::monotonic_buffer_resource memory_{first_block_.data(), first_block_.size()};
	std::size_t pieces_ = 0; // not deallocated yet
};

// A standard allocator: equal to all others of its thread.
template <typename T> struct JsonAllocator {
	using value_type = T;

	JsonAllocator() = default;
	template <typename Other> JsonAllocator(const JsonAllocator<Other> & /*same arena*/) {} // NOLINT(google-explicit-constructor)

	[[nodiscard]] T *allocate(std::size_t count) {
		return static_cast<T *>(JsonArena::of_this_thread().allocate(count * sizeof(T), alignof(T)));
	}
	void deallocate(T * /*piece*/, std::size_t /*count*/) { JsonArena::of_this_thread().deallocate(); }

	template <typename Other> bool operator==(const JsonAllocator<Other> & /*same arena*/) const { return true; }
};

} // namespace loopsnoop::output
