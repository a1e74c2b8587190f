// SPDX-License-Identifier: Apache-2.0
#include "cli/record_writer.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace loopsnoop::cli {

bool LineWriter::write(std::string_view text) {
	while (!text.empty()) {
		const ssize_t n = ::write(fd_, text.data(), text.size());
		if (n >= 0) {
			text.remove_prefix(static_cast<std::size_t>(n));
			continue;
		}
		if (errno == EINTR) {
			continue;
		}
		if (errno == EAGAIN) {
			pollfd ready{fd_, POLLOUT, 0};
			(void)poll(&ready, 1, -1);
			continue;
		}
		if (errno != EPIPE) {
			error_ = errno_error("write", "standard output", "the session ends here; what was written is whole");
		}
		return false;
	}
	return true;
}

} // namespace loopsnoop::cli
