// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "doctor/doctor.h"

namespace loopsnoop::doctor {

// Where the answers come from; a test gives its own.
struct Machine {
	std::string proc = "/proc";
	std::string sys = "/sys";
	std::string release;      // "6.1.0-18-amd64"
	std::string architecture; // "x86_64"
	std::uint32_t uid = 0;    // effective
};
[[nodiscard]] Machine this_machine();

// What is needed: rights, kernel, BTF, lockdown, JIT. Reads files only.
[[nodiscard]] std::vector<Check> examine_machine(const Machine &machine);
// What is used where it is there: tracefs, samples, kernel symbols, replaced files. Tries them.
[[nodiscard]] std::vector<Check> examine_extras(const Machine &machine);

// The line "CapEff:" of /proc/self/status. nullopt: no such line.
[[nodiscard]] std::optional<std::uint64_t> effective_capabilities(std::string_view status);
// `rights`: nullopt when they could not be read.
[[nodiscard]] Check judge_rights(std::optional<std::uint64_t> rights, std::uint32_t uid);

// The word in brackets: "none [integrity] confidentiality". nullopt: none.
[[nodiscard]] std::optional<std::string_view> lockdown_mode(std::string_view text);

// Whether /proc/self/uid_map is that of the user namespace of the host.
[[nodiscard]] bool is_host_uid_map(std::string_view text);

} // namespace loopsnoop::doctor
