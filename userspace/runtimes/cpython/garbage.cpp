// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/garbage.h"

#include <array>

#include "runtimes/cpython/walk.h"

namespace loopsnoop::runtimes::cpython {

namespace {

// struct gc_generation (Include/internal/pycore_gc.h): since 3.7, and again since 3.14.5.
struct Generation {
	std::array<std::uint64_t, 2> head{};
	std::int32_t threshold = 0;
	std::int32_t count = 0;
};

// 3.14.0 to 3.14.4 collect in steps: a young generation and two old ones that take turns.
bool collects_in_steps(const Version &version) {
	constexpr std::uint8_t minor = 14;
	constexpr std::uint8_t first_without = 5;
	return version.minor == minor && (!version.micro || *version.micro < first_without);
}

// gc_collect_main (Modules/gcmodule.c, since 3.12 Python/gc.c) begins with adding one to the count of the generation above that
// which it collects, and with setting those of it and all below to 0; nothing else changes them before it ends.
std::optional<std::uint64_t> generation_of(const std::array<Generation, 3> &generations) {
	constexpr std::int32_t too_many = 1 << 24;
	for (const Generation &one : generations) {
		if (one.count < 0 || one.count > too_many || one.threshold < 0) {
			return std::nullopt; // no such struct
		}
	}
	return generations[1].count > 0 ? 0U : generations[2].count > 0 ? 1U : 2U;
}

} // namespace

std::optional<Collection> current_collection(const Interpreter::View &view) {
	for (const std::uint64_t interpreter : walk_interpreters(view.memory, view.offsets, view.runtime)) {
		if (view.memory.read_value<std::int32_t>(interpreter + view.offsets.interpreter.gc_collecting) != 1) {
			continue;
		}
		Collection found;
		if (view.offsets.interpreter.gc_generations != 0 && !collects_in_steps(view.version)) {
			using Three = std::array<Generation, 3>;
			const auto generations = view.memory.read_value<Three>(interpreter + view.offsets.interpreter.gc_generations);
			found.generation = generations ? generation_of(*generations) : std::nullopt;
		}
		return found;
	}
	return std::nullopt;
}

} // namespace loopsnoop::runtimes::cpython
