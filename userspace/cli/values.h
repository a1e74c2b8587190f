// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/settings.h"

namespace loopsnoop::cli {

// The values of options, checked. The error of each is in `what`: a whole line for a person.

// "4711", or "4711,4712" as pgrep -d, writes it; appends to `ids`. `option` is named in the error.
[[nodiscard]] Result<void> add_ids(std::string_view option, std::string_view text, std::vector<std::uint32_t> &ids);

// A process as -p may name it: by what people call it, rather than by its number. It begins like a name, or is a container's id.
[[nodiscard]] bool is_process_name(std::string_view text);

struct DurationRange {
	std::uint64_t min_ns = 0;
	std::uint64_t max_ns = 0;
	std::string_view words; // "1us to 1h"
};
[[nodiscard]] Result<std::uint64_t> duration_between(std::string_view option, std::string_view text, const DurationRange &range);

[[nodiscard]] Result<std::uint32_t> number_between(std::string_view option, std::string_view text, std::uint32_t min,
                                                   std::uint32_t max);

// "9464", ":9464" and "localhost:9464" are loopback; "0.0.0.0:9464", "[::]:9464" must be given in full.
[[nodiscard]] Result<ListenAddress> listen_address(std::string_view text);

// The name of `names` that `text` was probably meant to be.
[[nodiscard]] std::optional<std::string> nearest(std::string_view text, const std::vector<std::string> &names);

} // namespace loopsnoop::cli
