// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/overview.h"

// What several sections of the page are made of: HTML, with every string of the target escaped.
namespace loopsnoop::exporter {

[[nodiscard]] std::string in_bdi(std::string_view text);
// `where`: its unit or container; empty: not known.
[[nodiscard]] std::string process_cell(std::string_view comm, std::uint32_t pid, std::uint32_t tid, std::string_view where = {});
[[nodiscard]] std::string place_cell(const Culprit &culprit);
[[nodiscard]] std::string cause_cell(const Culprit &culprit);
// A table of cells that are HTML already. A heading that begins with "#" is of a column of numbers.
[[nodiscard]] std::string html_table(const std::vector<std::string_view> &headings,
                                     const std::vector<std::vector<std::string>> &rows);
// "2026-11-24T05:09:28.000123Z" as "05:09:28.000", with the day when it is not that of `now`.
[[nodiscard]] std::string time_cell(const std::string &at, const std::string &now);

// What fills up in each process.
[[nodiscard]] std::string gauges_section(const Overview &now);

} // namespace loopsnoop::exporter
