// SPDX-License-Identifier: Apache-2.0
// /tmp/perf-PID.map, which the target writes; the second half of the input is appended later, as a JIT compiler does.
#include "stacks/perf_map.h"
#include "fuzz_file.h"

using namespace loopsnoop;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	const fuzz::Bytes input(data, size);
	const UniqueFd file = fuzz::memory_file(input.first(size / 2));
	stacks::PerfMap map;
	map.update(foreign::File::of(UniqueFd(dup(file.get()))));
	(void)map.find(0x1000);
	(void)!write(file.get(), data + size / 2, size - size / 2);
	map.update(foreign::File::of(UniqueFd(dup(file.get()))));
	for (const std::uint64_t address :
	     {std::uint64_t{0}, std::uint64_t{0x1000}, std::uint64_t{0x7f0000001000}, ~std::uint64_t{0}}) {
		(void)map.find(address);
	}
	return 0;
}
