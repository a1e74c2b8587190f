// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/shared_bytes.h"
#include "model/capture.h"
#include "model/stack.h"
#include "process/memory.h"
#include "runtimes/cpython/offsets.h"
#include "runtimes/cpython/page_cache.h"

namespace loopsnoop::runtimes::cpython {

// The frame that CPython puts below an __init__() which specialized code calls, since 3.12 (_Py_InitCleanup,
// Python/specialize.c). It is nobody's code, and CPython does not show it either.
[[nodiscard]] inline bool is_init_cleanup(const SourceFrame &frame) {
	return frame.file == "__init__" && frame.function == "__init__";
}

// What code objects are called and which lines their instructions are of. Code objects get freed and their addresses used
// again, so what is kept is compared with the target's memory at each use (one read). Bounded: 4,096 code objects, 8 MiB of names
// and line tables, and 24 MiB in all caches of all processes together; beyond that what this one has is dropped, and read again.
class CodeCache {
public:
	static constexpr std::size_t max_bytes = std::size_t{8} << 20;
	static constexpr std::size_t max_bytes_of_all = std::size_t{24} << 20;

	// `code_type`: address of PyCode_Type, 0 when not known; distinguishes code objects from garbage.
	CodeCache(const Offsets &offsets, std::uint64_t code_type) : offsets_(offsets), code_type_(code_type) {}

	// Always a frame: function "?" when the code object cannot be read (any more), line null when it is not known.
	[[nodiscard]] SourceFrame resolve(const process::Memory &memory, const PythonFrameRef &frame);

	// Reads what `resolve` will ask for, of all these, in two questions or so.
	void prefetch(const PageCache &pages, std::span<const PythonFrameRef> frames) const;

	[[nodiscard]] std::size_t bytes() const { return bytes_.mine(); }

private:
	// Read from the target each time.
	struct Fingerprint {
		std::uint64_t type = 0;
		std::uint64_t size = 0; // code units, >= 3.11
		std::uint64_t filename = 0;
		std::uint64_t name = 0;
		std::uint64_t line_table = 0;
		std::int32_t first_line = 0;
		bool operator==(const Fingerprint &) const = default;
	};
	struct Code {
		Fingerprint fingerprint;
		std::string name;
		std::string filename;
		std::optional<std::vector<std::uint8_t>> line_table;
	};

	[[nodiscard]] static std::size_t bytes_of(const Code &code);
	void forget(std::uint64_t address);
	void keep(std::uint64_t address, Code code);
	[[nodiscard]] std::optional<Fingerprint> read_fingerprint(const process::Memory &memory, std::uint64_t code) const;
	[[nodiscard]] std::optional<int> line_of(const Code &code, const PythonFrameRef &frame) const;

	static std::atomic<std::size_t> bytes_of_all_;

	Offsets offsets_;
	std::uint64_t code_type_;
	std::unordered_map<std::uint64_t, Code> codes_;
	SharedBytes bytes_{bytes_of_all_};
};

} // namespace loopsnoop::runtimes::cpython
