// SPDX-License-Identifier: Apache-2.0
// The head of a request to the exporter, which anybody may send who reaches its port.
#include "exporter/http_request.h"
#include "fuzz_input.h"

using namespace loopsnoop;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	const std::string_view text = fuzz::text_of({data, size});
	(void)exporter::head_length(text);
	if (const auto request = exporter::parse_request(text)) {
		(void)exporter::AllowedHosts({"web1"}).allows(*request);
	}
	return 0;
}
