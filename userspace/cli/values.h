// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/options.h"

namespace loopsnoop::cli {

// The values of options, checked. The error of each is in `what`: a whole line for a person.

// "4711", or "4711,4712" as pgrep -d, writes it; appends to `ids`. `option` is named in the error.
[[nodiscard]] Result<void> add_ids(std::string_view option, std::string_view text, std::vector<std::uint32_t> &ids);

struct DurationRange {
	std::uint64_t least_ns = 0;
	std::uint64_t most_ns = 0;
	std::string_view words; // "1us to 1h"
};
[[nodiscard]] Result<std::uint64_t> duration_between(std::string_view option, std::string_view text, const DurationRange &range);

// 4096 to 65536, rounded up to pages of 4096.
[[nodiscard]] Result<std::uint32_t> stack_bytes(std::string_view text);

// 1 to 4096.
[[nodiscard]] Result<std::uint32_t> loop_count(std::string_view text);

// "9464", ":9464" and "localhost:9464" are loopback; "0.0.0.0:9464", "[::]:9464" must be given in full.
[[nodiscard]] Result<ListenAddress> listen_address(std::string_view text);

// Sets the switch of one feature name.
[[nodiscard]] Result<void> leave_out(std::string_view feature, Without &without);

// The name of `names` that `text` was probably meant to be.
[[nodiscard]] std::optional<std::string> nearest(std::string_view text, const std::vector<std::string> &names);

} // namespace loopsnoop::cli
