// SPDX-License-Identifier: Apache-2.0
#include "collector/libbpf_log.h"

#include <bpf/libbpf.h>

#include <array>
#include <cstdio>
#include <string_view>

namespace loopsnoop::collector {

namespace {

// libbpf has one print callback for the whole process.
// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables)
bool verbose_log = false;
std::string last_warning;
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

int print(enum libbpf_print_level level, const char *format, va_list arguments) {
	// What libbpf says for debugging is some 3,000 lines about its own relocations, and the verifier's log (bpf_prog_load in
	// libbpf.c).
	if (verbose_log && (level != LIBBPF_DEBUG || std::string_view(format).find("PROG LOAD LOG") != std::string_view::npos)) {
		va_list again;
		va_copy(again, arguments);
		(void)vfprintf(stderr, format, again);
		va_end(again);
	}
	if (level == LIBBPF_WARN) {
		std::array<char, 512> line{};
		(void)vsnprintf(line.data(), line.size(), format, arguments);
		last_warning = line.data();
		while (!last_warning.empty() && last_warning.back() == '\n') {
			last_warning.pop_back();
		}
	}
	return 0;
}

} // namespace

void route_libbpf_log(bool verbose) {
	verbose_log = verbose;
	libbpf_set_print(print);
}

std::string last_libbpf_warning() { return last_warning; }

} // namespace loopsnoop::collector
