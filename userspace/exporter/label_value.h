// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace loopsnoop::exporter {

// A string of the target as a label value: at most 200 bytes and a character, and UTF-8 whatever it held. Each byte that is none,
// and each control character, is a "?": one label that is no UTF-8 makes Prometheus refuse the whole scrape.
[[nodiscard]] std::string label_value(std::string_view text);

} // namespace loopsnoop::exporter
