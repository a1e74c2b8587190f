// SPDX-License-Identifier: Apache-2.0
#include "collector/libbpf_log.h"

#include <bpf/libbpf.h>

#include <array>
#include <cstdio>

namespace loopsnoop::collector {

namespace {

// libbpf has one print callback for the whole process.
// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables)
bool verbose_log = false;
std::string last_warning;
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

int print(enum libbpf_print_level level, const char *format, va_list arguments) {
	if (verbose_log) {
		return vfprintf(stderr, format, arguments);
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
