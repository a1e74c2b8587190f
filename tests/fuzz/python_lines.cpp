// SPDX-License-Identifier: Apache-2.0
// The line table of a CPython code object, in each of its three forms.
#include "fuzz_input.h"
#include "runtimes/cpython/line_table.h"

using namespace loopsnoop;
using runtimes::cpython::LineFormat;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	fuzz::Bytes input(data, size);
	const auto first_line = fuzz::take<std::int32_t>(input);
	const auto offset = fuzz::take<std::int16_t>(input);
	for (const LineFormat format : {LineFormat::lnotab, LineFormat::ranges, LineFormat::locations}) {
		(void)runtimes::cpython::line_at(format, input, first_line, offset);
	}
	return 0;
}
