// SPDX-License-Identifier: Apache-2.0
// A line of a recording; what is read is written again, as text and as JSON, which must be readable in turn.
#include <cstdlib>

#include "fuzz_input.h"
#include "output/json.h"
#include "output/json_reader.h"
#include "output/text.h"

using namespace loopsnoop;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	const auto record = output::parse_json_line(fuzz::text_of({data, size}));
	if (!record || !record.value()) {
		return 0;
	}
	output::TextOptions options;
	options.detail = output::Detail::everything;
	output::TextReport text(options, [](std::string_view) {});
	text.write(*record.value());
	text.finish();
	if (!output::parse_json_line(output::to_json_line(*record.value()))) {
		std::abort();
	}
	return 0;
}
