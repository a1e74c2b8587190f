// SPDX-License-Identifier: Apache-2.0
// An ELF file that a target has mapped: headers, symbol tables, call frame information, line programs, packed sections.
#include "fuzz_file.h"
#include "stacks/module.h"

using namespace loopsnoop;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	const auto image = stacks::open_image(fuzz::file_of({data, size}));
	if (image == nullptr) {
		return 0;
	}
	stacks::Module module(image);
	const stacks::DebugSearch search{"/nowhere/plugin.so", [](const std::string &) { return stacks::FileOfTarget(); }};
	for (const std::uint64_t address : {std::uint64_t{0}, std::uint64_t{0x1000}, std::uint64_t{0x1010}, std::uint64_t{0x1ff0},
	                                    image->entry(), ~std::uint64_t{0}, std::uint64_t{1} << 63U}) {
		(void)module.row(address);
		(void)module.places(address, search);
		(void)image->offset_of_address(address);
	}
	return 0;
}
