// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "foreign/bytes.h"

namespace loopsnoop::stacks {

// The names that a JIT compiler writes to /tmp/perf-PID.map: lines "START SIZE name", numbers in hexadecimal. Of entries that
// overlap the one written last holds: code is thrown away and its place used again.
class PerfMap {
public:
	// To be called with the file as it can be opened now; parses what was appended since, or all of it when it is another file
	// or was written anew. Entries past a quarter million push out the oldest.
	void update(std::shared_ptr<const foreign::File> file);
	[[nodiscard]] std::optional<std::string> find(std::uint64_t address) const;
	[[nodiscard]] std::size_t size() const { return entries_.size(); }
	[[nodiscard]] std::size_t bytes() const { return entries_.capacity() * sizeof(Entry); }

private:
	// Names stay in the file until one is asked for.
	struct Entry {
		std::uint64_t start;
		std::uint64_t name_offset; // in the file: what is later stands further back
		std::uint32_t length;
		std::uint32_t name_bytes;
	};
	void clear();
	void parse_from(std::uint64_t offset, std::uint64_t end);
	void sort();

	std::shared_ptr<const foreign::File> file_;
	std::uint64_t device_ = 0;
	std::uint64_t inode_ = 0;
	std::uint64_t size_ = 0;
	std::int64_t changed_ns_ = 0;
	std::uint64_t parsed_ = 0;   // the beginning of the first line that was not complete
	std::uint32_t longest_ = 0;  // length of the longest entry
	std::vector<Entry> entries_; // by start; of several with the same start only the last
};

} // namespace loopsnoop::stacks
