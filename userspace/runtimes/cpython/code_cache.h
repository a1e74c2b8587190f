// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/capture.h"
#include "model/stack.h"
#include "process/memory.h"
#include "runtimes/cpython/offsets.h"

namespace loopsnoop::runtimes::cpython {

// What code objects are called and which lines their instructions are of. Code objects get freed and their addresses used
// again, so what is kept is compared with the target's memory at each use (one read). Bounded: 4,096 code objects.
class CodeCache {
public:
	// `code_type`: address of PyCode_Type, 0 when not known; tells garbage from code objects.
	CodeCache(const Offsets &offsets, std::uint64_t code_type) : offsets_(offsets), code_type_(code_type) {}

	// Always a frame: function "?" when the code object cannot be read (any more), line null when it cannot be told.
	[[nodiscard]] SourceFrame resolve(const process::Memory &memory, const PythonFrameRef &frame);

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

	[[nodiscard]] std::optional<Fingerprint> read_fingerprint(const process::Memory &memory, std::uint64_t code) const;
	[[nodiscard]] std::optional<int> line_of(const Code &code, const PythonFrameRef &frame) const;

	Offsets offsets_;
	std::uint64_t code_type_;
	std::unordered_map<std::uint64_t, Code> codes_;
};

} // namespace loopsnoop::runtimes::cpython
