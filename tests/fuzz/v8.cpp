// SPDX-License-Identifier: Apache-2.0
// The heap of a V8, and the constants with which it says how it is to be read: those are the target's, too.
#include "fuzz_input.h"
#include "runtimes/v8/heap.h"

using namespace loopsnoop;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	fuzz::Bytes input(data, size);
	const auto layout = fuzz::take<runtimes::v8::Layout>(input);
	if (!runtimes::v8::is_plausible(layout)) {
		return 0;
	}
	const fuzz::InputMemory memory(input);
	const runtimes::v8::Heap heap(layout, memory);
	constexpr std::uint32_t most = 256;
	for (const std::uint64_t object :
	     {std::uint64_t{0x7f0000010001}, std::uint64_t{0x7f0000010009}, std::uint64_t{0x7f0000010041}}) {
		(void)heap.word(object, layout.script_name);
		(void)heap.is_string(object);
		(void)heap.text(object, most);
		(void)heap.lines_before(object, most);
	}
	return 0;
}
