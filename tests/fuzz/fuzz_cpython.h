// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "fuzz_input.h"
#include "runtimes/cpython/offsets.h"
#include "runtimes/cpython/version.h"

namespace loopsnoop::fuzz {

// Where the input's memory has its _PyRuntime.
inline constexpr std::uint64_t runtime_address = 0x7f0000010000;

struct Python {
	runtimes::cpython::Version version;
	runtimes::cpython::Offsets offsets;
};

// A CPython of the version that the input's first byte says; nullopt: none that is supported.
inline std::optional<Python> take_python(Bytes &input) {
	constexpr std::uint8_t first_minor = 9;
	constexpr std::uint8_t minors = 7;
	runtimes::cpython::Version version;
	version.minor = static_cast<std::uint8_t>(first_minor + take<std::uint8_t>(input) % minors);
	const auto offsets = runtimes::cpython::offsets_of(version);
	return offsets ? std::optional(Python{version, *offsets}) : std::nullopt;
}

} // namespace loopsnoop::fuzz
