// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace loopsnoop::process {

// One line of /proc/PID/maps. Addresses and offset in bytes; `end` is the first address after it.
struct Mapping {
	std::uint64_t start = 0;
	std::uint64_t end = 0;
	std::uint64_t offset = 0; // of the file, at `start`
	bool readable = false;
	bool writable = false;
	bool executable = false;
	bool shared = false;
	std::uint32_t device_major = 0;
	std::uint32_t device_minor = 0;
	std::uint64_t inode = 0; // 0: no file
	std::string path;        // as the target sees it; "[heap]", "[vdso]", "[anon:…]"; empty for plain memory
	bool deleted = false;    // the file is unlinked; `path` is then what it was called

	[[nodiscard]] bool contains(std::uint64_t address) const { return start <= address && address < end; }
	// A path that names a file (not "[heap]" and the like, nor "anon_inode:…").
	[[nodiscard]] bool has_file() const { return inode != 0 && path.starts_with('/'); }
};

// Lines that do not read as a mapping are left out. In the order of the text: the kernel's is ascending, without overlap.
[[nodiscard]] std::vector<Mapping> parse_maps(std::string_view text);

} // namespace loopsnoop::process
