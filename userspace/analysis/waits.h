// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/cause.h"
#include "model/stack.h"
#include "model/stall.h"

namespace loopsnoop::analysis {

inline constexpr std::size_t max_reported_waits = 16;
inline constexpr std::size_t max_reported_cpu_stacks = 8;

// Same frames by name and line: what a person would call the same stack.
[[nodiscard]] bool same_stack(const Stack &a, const Stack &b);

// Waits in a row with the same cause, call and stack become one; then the longest 16, oldest first.
[[nodiscard]] std::vector<Wait> report_waits(std::vector<Wait> waits);

// On-CPU stacks, each of one sample, equal ones together, the longest first. Without what interrupts did meanwhile; where those
// of one line were in the kernel and out of it, the stack is one of what most of their time went to.
[[nodiscard]] std::vector<CpuPart> report_samples(std::vector<CpuPart> samples);

// No wait lasts longer than what was left of its iteration when it began. One that does is a mistake of ours, in what was put
// together from several moments: it is cut to that. Returns how many were.
[[nodiscard]] std::uint64_t cut_to_iteration(Stall &stall);

// Moves time from one cause to another, never more than there is: user space knows some causes better than the kernel side did.
void reclassify(Breakdown &breakdown, Cause from, Cause to, std::uint64_t ns, std::uint64_t count);

// Makes `cpu` what is left of the duration.
void balance(Breakdown &breakdown, std::uint64_t duration_ns);

} // namespace loopsnoop::analysis
