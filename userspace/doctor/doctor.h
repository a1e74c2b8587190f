// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace loopsnoop::doctor {

enum class Health : std::uint8_t {
	ok,
	warn, // following works, something is missing
	fail, // following does not work
};

struct Check {
	std::string name; // what was checked, one word: "kernel", "python"
	Health health = Health::ok;
	std::string found;  // and what it means; may hold any bytes of the target
	std::string advice; // what to do about it; empty when nothing is to be done
	std::string detail; // what was tried and what the kernel said, for those who ask
};

struct Conclusion {
	bool works = false;
	std::string sentence;
};
[[nodiscard]] Conclusion conclude(const std::vector<Check> &checks);

// The programs were tried for real, and that decides: when they run, what spoke against it is a warning (kernels of distributions
// have what their version number denies); when they do not and nothing explains it yet, that is a failure of its own.
// `started`: what the programs' start ended with.
[[nodiscard]] std::vector<Check> settle(std::vector<Check> checks, const Result<Check> &started);

// All checks of this machine, and with a process those of it. Takes about half a second; starts the programs and stops them
// again. `verbose`: a start that failed is tried again with libbpf's messages on stderr.
[[nodiscard]] std::vector<Check> examine(std::optional<std::uint32_t> pid, bool verbose);

} // namespace loopsnoop::doctor
