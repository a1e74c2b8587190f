// SPDX-License-Identifier: Apache-2.0
// In place of libFuzzer in builds without it: runs a target once over each file named, and over each file of each folder named.
// So every build compiles the targets, and the tests go through all seeds, with the findings that were mended among them.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz_input.h"

namespace {

std::size_t runs = 0;

void run(const std::filesystem::path &path) {
	std::ifstream file(path, std::ios::binary);
	const std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
	// A copy of that very size, so that AddressSanitizer sees a read behind it.
	const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
	(void)LLVMFuzzerTestOneInput(input.data(), input.size());
	runs++;
}

} // namespace

int main(int argc, char *argv[]) {
	(void)LLVMFuzzerTestOneInput(nullptr, 0); // as libFuzzer begins, too
	for (int i = 1; i < argc; i++) {
		if (!std::filesystem::exists(argv[i])) {
			continue; // most targets have one of their two folders
		}
		if (!std::filesystem::is_directory(argv[i])) {
			run(argv[i]);
			continue;
		}
		for (const auto &entry : std::filesystem::recursive_directory_iterator(argv[i])) {
			if (entry.is_regular_file()) {
				run(entry.path());
			}
		}
	}
	(void)std::printf("%zu inputs\n", runs);
	return runs == 0 ? 1 : 0;
}
