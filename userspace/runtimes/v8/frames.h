// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <tuple>

#include "model/stack.h"
#include "process/memory.h"
#include "process/procfs.h"
#include "runtimes/v8/layout.h"

namespace loopsnoop::runtimes::v8 {

// Names for the JavaScript frames of one process. One thread calls.
class Frames {
public:
	// Opens files of the target and reads symbol tables: some milliseconds. nullopt: not Node, or its V8 cannot be read.
	[[nodiscard]] static std::optional<Frames> find(const process::ProcFs &proc, std::uint32_t pid);
	Frames(Layout layout, std::unique_ptr<process::Memory> memory) : layout_(layout), memory_(std::move(memory)) {}

	// A word of the stack. nullopt: it cannot be had.
	using Word = std::function<std::optional<std::uint64_t>(std::uint64_t address)>;
	// Of the frame with that frame pointer, interpreted or compiled. The line is the one where the function begins: V8 makes the
	// tables that lead from code to lines only when somebody asks for a stack trace. nullopt: it is a frame of another kind, or
	// its function is not to be found any more.
	[[nodiscard]] std::optional<SourceFrame> at(std::uint64_t frame_pointer, const Word &word);

private:
	[[nodiscard]] std::optional<SourceFrame> name(std::uint64_t function);
	struct Named {
		std::optional<SourceFrame> frame;
		std::uint64_t since_ns = 0;
	};
	[[nodiscard]] std::optional<SourceFrame> read(std::uint64_t name, std::uint64_t script) const;

	Layout layout_;
	std::unique_ptr<process::Memory> memory_;
	std::map<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>, Named> known_;
};

} // namespace loopsnoop::runtimes::v8
