// SPDX-License-Identifier: Apache-2.0
#include "output/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace loopsnoop::output {

namespace {

std::string_view environment(const char *name) {
	const char *value = std::getenv(name); // NOLINT(concurrency-mt-unsafe): nothing in this program sets the environment
	return value == nullptr ? std::string_view{} : value;
}

} // namespace

TextOptions text_options_for(int fd) {
	TextOptions options;
	if (isatty(fd) == 0) {
		return options;
	}
	const bool dumb = environment("TERM") == "dumb";
	options.wrap = true;
	options.status_line = !dumb;
	options.colour = !dumb && environment("NO_COLOR").empty();
	winsize size{};
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
		options.columns = size.ws_col;
	}
	return options;
}

} // namespace loopsnoop::output
