// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace loopsnoop::collector {

struct KernelVersion {
	unsigned major = 0;
	unsigned minor = 0;
	auto operator<=>(const KernelVersion &) const = default; // NOLINT(modernize-use-nullptr): a mistake of clang-tidy 14
};

// The first that can run our programs: it has bpf_task_pt_regs() (dd6e10fbd9fb).
inline constexpr KernelVersion oldest_kernel{5, 15};

// "6.1.0-18-amd64" is 6.1. nullopt: does not begin so.
[[nodiscard]] std::optional<KernelVersion> kernel_version(std::string_view release);
// Of the running kernel, as uname(2) has it.
[[nodiscard]] std::string running_kernel();

} // namespace loopsnoop::collector
