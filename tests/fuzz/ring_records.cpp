// SPDX-License-Identifier: Apache-2.0
// Records of the ring buffer, cut and lying about their length.
#include "collector/decode.h"
#include "fuzz_input.h"

using namespace loopsnoop;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	// As the buffer has them: at multiples of eight bytes.
	std::vector<std::uint64_t> aligned(size / sizeof(std::uint64_t) + 1);
	if (size != 0) { // an empty input has no address
		std::memcpy(aligned.data(), data, size);
	}
	(void)collector::decode_record(std::as_bytes(std::span(aligned)).first(size));
	return 0;
}
