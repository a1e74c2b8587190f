// SPDX-License-Identifier: Apache-2.0
#include "inspect/heap_limit.h"

#include <unistd.h>

#include <algorithm>

#include "analysis/garbage.h"
#include "process/pseudo_file.h"
#include "process/text.h"

namespace loopsnoop::inspect {

std::optional<std::uint64_t> old_space_limit(std::span<const std::string> arguments) {
	constexpr std::string_view option = "--max-old-space-size=";
	constexpr std::uint64_t max_mib = 1U << 24U;
	std::optional<std::uint64_t> limit;
	for (std::string argument : arguments) {
		const std::size_t name = std::min(argument.find('='), argument.size());
		std::replace(argument.begin(), argument.begin() + static_cast<std::ptrdiff_t>(name), '_', '-'); // both are the same to V8
		if (!argument.starts_with(option)) {
			continue;
		}
		const auto mib = process::parse_number<std::uint64_t>(std::string_view(argument).substr(option.size()));
		limit = mib && *mib > 0 && *mib < max_mib ? std::optional(*mib << 20U) : limit; // the last one counts
	}
	return limit;
}

bool add_heap_limit(Stall &stall, const process::ProcFs &proc) {
	if (!stall.gc || stall.gc->heap_limit_bytes || analysis::collecting_ns(stall) * 2 < stall.duration_ns ||
	    !analysis::is_of_v8(stall)) {
		return false;
	}
	constexpr std::size_t enough = 256;
	const auto limit = old_space_limit(proc.cmdline(stall.pid));
	if (!limit) {
		return false;
	}
	const auto text = process::read_pseudo_file(proc.path_of(stall.pid, "statm"), enough);
	const auto pages = text ? process::parse_number<std::uint64_t>(process::Words(*text).skip_and_next(1)) : std::nullopt;
	if (!pages) {
		return false;
	}
	stall.gc->heap_limit_bytes = limit;
	stall.gc->resident_bytes = *pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
	return true;
}

} // namespace loopsnoop::inspect
