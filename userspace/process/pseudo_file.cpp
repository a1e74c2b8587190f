// SPDX-License-Identifier: Apache-2.0
#include "process/pseudo_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>

#include "base/unique_fd.h"
#include "foreign/access.h"
#include "process/text.h"

namespace loopsnoop::process {

namespace {

constexpr std::size_t block_bytes = 65536;

// Of /proc alone: nothing there waits for a target. O_NONBLOCK: in a fixture's tree a FIFO may stand there.
UniqueFd open_for_reading(const std::string &path) {
	return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

ssize_t read_retrying(int fd, char *into, std::size_t size) {
	ssize_t got = 0;
	do {
		got = ::read(fd, into, size);
	} while (got < 0 && errno == EINTR);
	return got;
}

} // namespace

Result<std::string> read_pseudo_file(const std::string &path, std::size_t max_bytes) {
	const UniqueFd fd = open_for_reading(path);
	if (!fd.valid()) {
		return errno_error("open", path);
	}
	std::string text;
	std::size_t size = 0;
	while (size < max_bytes) {
		// Grows by doubling from what most files fit in.
		text.resize(std::min(max_bytes, std::max<std::size_t>(4096, size * 2)));
		const ssize_t got = read_retrying(fd.get(), text.data() + size, text.size() - size);
		if (got < 0 && size == 0) {
			return errno_error("read", path);
		}
		if (got <= 0) {
			break;
		}
		size += static_cast<std::size_t>(got);
	}
	text.resize(size);
	return text;
}

bool each_line(const std::string &path, const std::function<bool(std::string_view)> &line) {
	const UniqueFd fd = open_for_reading(path);
	if (!fd.valid()) {
		return false;
	}
	std::string block(block_bytes, '\0');
	std::size_t kept = 0;
	bool skipping = false; // inside a line that is too long
	for (;;) {
		const ssize_t got = read_retrying(fd.get(), block.data() + kept, block.size() - kept);
		if (got <= 0) {
			break;
		}
		std::string_view rest(block.data(), kept + static_cast<std::size_t>(got));
		for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
			if (!skipping && !line(rest.substr(0, end))) {
				return true;
			}
			skipping = false;
			rest.remove_prefix(end + 1);
		}
		if (skipping || rest.size() == block.size()) {
			skipping = true;
			kept = 0;
		} else {
			kept = rest.size();
			std::copy(rest.begin(), rest.end(), block.begin());
		}
	}
	if (kept > 0) {
		line(std::string_view(block.data(), kept));
	}
	return true;
}

std::optional<std::string> read_link(const std::string &path) {
	std::array<char, PATH_MAX> target{};
	const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
	if (size < 0) {
		return std::nullopt;
	}
	return std::string(target.data(), static_cast<std::size_t>(size));
}

bool each_number(const std::string &folder, const std::function<bool(std::uint32_t)> &number) {
	const auto close = [](DIR *dir) { ::closedir(dir); };
	const std::unique_ptr<DIR, decltype(close)> dir(::opendir(folder.c_str()), close);
	if (!dir) {
		return false;
	}
	while (const dirent *entry = ::readdir(dir.get())) { // NOLINT(concurrency-mt-unsafe): the stream is ours alone
		const auto value = parse_number<std::uint32_t>(static_cast<const char *>(entry->d_name));
		if (value && !number(*value)) {
			break;
		}
	}
	return true;
}

std::optional<FileIdentity> identify(const std::string &path) {
	foreign::FileName name;
	name.path = path;
	const auto status = foreign::access().status(name);
	if (!status) {
		return std::nullopt;
	}
	return FileIdentity{status->mode, status->inode, status->device, status->links};
}

} // namespace loopsnoop::process
