// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/special_members.h"

namespace loopsnoop {

// A frame of an interpreted language. Strings hold whatever the target held: any bytes.
struct SourceFrame {
	std::string function; // qualified name where the interpreter has one
	std::string file;
	std::optional<int> line;
};

struct NativeFrame {
	std::optional<std::string> function; // demangled; from perf maps for JIT code
	std::optional<std::string> module;   // path as the target sees it; "[vdso]"; empty for code outside any file
	std::uint64_t offset = 0;            // address inside the module, as addr2line takes it; the plain address when no module
	std::optional<std::string> file;     // only with line information (DWARF)
	std::optional<int> line;
};

struct KernelFrame {
	std::optional<std::string> function;
	std::uint64_t offset = 0; // from the function's first byte; the plain address when there is no function
};

// Innermost frame first. An empty part does not apply (or could not be had).
struct Stack {
	LOOPSNOOP_SPECIAL_MEMBERS(Stack);
	Stack(std::vector<SourceFrame> python_frames, std::vector<SourceFrame> javascript_frames,
	      std::vector<NativeFrame> native_frames, std::vector<KernelFrame> kernel_frames, bool truncated);

	std::vector<SourceFrame> python;
	std::vector<SourceFrame> javascript;
	std::vector<NativeFrame> native;
	std::vector<KernelFrame> kernel;
	bool native_truncated = false; // unwinding ended before the outermost frame

	[[nodiscard]] bool empty() const { return python.empty() && javascript.empty() && native.empty() && kernel.empty(); }
};

enum class StackFrom : std::uint8_t { none, captured, live };
[[nodiscard]] constexpr std::string_view name_of(StackFrom from) {
	switch (from) {
	case StackFrom::captured: return "captured";
	case StackFrom::live: return "live";
	case StackFrom::none: break;
	}
	return "";
}

} // namespace loopsnoop
