// SPDX-License-Identifier: Apache-2.0
// A unit of .debug_line.
#include "stacks/line_program.h"
#include "fuzz_input.h"

using namespace loopsnoop;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	const auto program = stacks::LineProgram::read({data, size});
	if (!program) {
		return 0;
	}
	std::uint64_t file = 0;
	program->run([&](const stacks::LineRow &row) {
		file = row.file;
		return true;
	});
	const auto string_at = [](bool line_strings, std::uint64_t offset) {
		return (line_strings ? "line" : "string") + std::to_string(offset);
	};
	for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{1}, file, ~std::uint64_t{0}}) {
		(void)program->file_path(number, string_at);
	}
	return 0;
}
