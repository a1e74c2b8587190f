// SPDX-License-Identifier: Apache-2.0
// Names of a target's symbol table.
#include "stacks/demangle.h"
#include "fuzz_input.h"

using namespace loopsnoop;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	(void)stacks::demangle(std::string(fuzz::text_of({data, size})));
	return 0;
}
