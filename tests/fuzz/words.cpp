// SPDX-License-Identifier: Apache-2.0
// Durations, and the words of a command line, one a line.
#include <cstdlib>
#include <string>
#include <variant>
#include <vector>

#include "base/duration.h"
#include "cli/options.h"
#include "fuzz_input.h"

using namespace loopsnoop;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	const std::string_view text = fuzz::text_of({data, size});
	if (const auto ns = parse_duration_ns(text)) {
		(void)format_duration(*ns);
		(void)format_rounded_duration(*ns);
	}
	std::vector<std::string> words{"loopsnoop"};
	for (std::size_t begin = 0; begin <= text.size() && words.size() < 64;) {
		const std::size_t end = std::min(text.find('\n', begin), text.size());
		words.emplace_back(text.substr(begin, end - begin));
		begin = end + 1;
	}
	std::vector<const char *> arguments;
	arguments.reserve(words.size());
	for (const std::string &word : words) {
		arguments.push_back(word.c_str());
	}
	const cli::Parsed parsed = cli::parse(static_cast<int>(arguments.size()), arguments.data());
	// What goes to a terminal has no control character but its newlines.
	if (const auto *exit = std::get_if<cli::Exit>(&parsed)) {
		for (const char c : exit->text) {
			if (static_cast<unsigned char>(c) < 0x20 && c != '\n') {
				std::abort();
			}
		}
	}
	return 0;
}
