// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/escape.h"

namespace loopsnoop::exporter {

// A string of the target as a label value, of at most 200 bytes and a character: one label that is no UTF-8 makes Prometheus
// refuse the whole scrape.
[[nodiscard]] inline std::string label_value(std::string_view text) {
	constexpr std::size_t max_bytes = 200;
	return with_question_marks(text, max_bytes);
}

} // namespace loopsnoop::exporter
