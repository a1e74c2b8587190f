// SPDX-License-Identifier: Apache-2.0
#include "cli/record_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace loopsnoop::cli {

Result<LineWriter> LineWriter::open(const std::string &path) {
	if (path == "-") {
		return on(STDOUT_FILENO);
	}
	constexpr mode_t owner_only = 0600;
	UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, owner_only));
	if (!file.valid()) {
		return errno_error("write the recording", path);
	}
	struct stat status {};
	// A file that was there before keeps its mode: what goes into it now is not for everybody.
	if (fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode)) {
		(void)fchmod(file.get(), owner_only);
	}
	const int fd = file.get();
	LineWriter writer(std::move(file), fd);
	writer.path_ = path;
	return writer;
}

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
			error_ = errno_error("write", path_.empty() ? "standard output" : path_,
			                     "the session ends here; what was written is whole");
		}
		return false;
	}
	return true;
}

} // namespace loopsnoop::cli
