// SPDX-License-Identifier: Apache-2.0
#include "foreign/perform.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"

namespace loopsnoop::foreign {

namespace {

// A descriptor that only names the file: nothing of a device or a FIFO is touched by that (open(2), O_PATH).
UniqueFd locate(const Question &question) {
	if (question.root.empty()) {
		return UniqueFd(::open(question.path.c_str(), O_PATH | O_CLOEXEC));
	}
	const UniqueFd root(::open(question.root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
	if (!root.valid()) {
		return {};
	}
	open_how how{};
	how.flags = O_PATH | O_CLOEXEC;
	how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS; // Linux 5.6
	return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root.get(), question.path.c_str(), &how, sizeof how)));
}

// AT_STATX_DONT_SYNC: what is in the cache will do; it saves most of the questions to servers.
int status_of(int file, const char *path, int flags, FileStatus &status) {
	struct statx found {};
	if (::statx(file, path, flags | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &found) != 0) {
		return errno;
	}
	status.mode = found.stx_mode;
	status.owner = found.stx_uid;
	status.links = found.stx_nlink;
	status.inode = found.stx_ino;
	status.device = makedev(found.stx_dev_major, found.stx_dev_minor);
	status.size = found.stx_size;
	status.modified_ns = found.stx_mtime.tv_sec * std::int64_t{ns_per_s} + found.stx_mtime.tv_nsec;
	return 0;
}

std::size_t read_at(int file, std::uint64_t offset, std::span<std::byte> into, int &error) {
	std::size_t done = 0;
	while (done < into.size()) {
		const ssize_t got = ::pread(file, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			error = errno;
		}
		if (got <= 0) {
			break;
		}
		done += static_cast<std::size_t>(got);
	}
	return done;
}

Answer open_regular(const Question &question, std::span<std::byte> into) {
	Answer answer;
	const UniqueFd named = locate(question);
	if (!named.valid()) {
		answer.error = errno;
		return answer;
	}
	answer.error = status_of(named.get(), "", AT_EMPTY_PATH, answer.status);
	if (answer.error == 0 && !S_ISREG(answer.status.mode)) {
		answer.error = S_ISDIR(answer.status.mode) ? EISDIR : EINVAL;
	}
	if (answer.error != 0) {
		return answer;
	}
	// The very file that was examined, whatever its path leads to by now.
	const std::string again = "/proc/self/fd/" + std::to_string(named.get());
	answer.file.reset(::open(again.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
	if (!answer.file.valid()) {
		answer.error = errno;
		return answer;
	}
	int error = 0;
	answer.bytes = read_at(answer.file.get(), 0, into, error);
	if (answer.bytes == 0 && error != 0) { // as of the memory map of a process that is not ours to read
		answer.error = error;
		answer.file.reset();
	}
	return answer;
}

Answer look_up(const Question &question) {
	Answer answer;
	if (question.root.empty()) {
		answer.error = status_of(AT_FDCWD, question.path.c_str(), 0, answer.status);
		return answer;
	}
	const UniqueFd named = locate(question);
	answer.error = named.valid() ? status_of(named.get(), "", AT_EMPTY_PATH, answer.status) : errno;
	return answer;
}

// One call reads on from range to range until something cannot be read: that range is left out, and the next call begins behind
// it.
Answer read_ranges(const Question &question, std::span<std::byte> into) {
	Answer answer;
	const std::size_t count = question.ranges.size();
	if (into.size() < count) {
		answer.error = EINVAL;
		return answer;
	}
	const std::span was_read = into.first(count);
	std::span left = into.subspan(count);
	std::ranges::fill(was_read, std::byte{0});
	std::vector<iovec> remote;
	for (std::size_t i = 0; i < count;) {
		remote.clear();
		for (const Question::Range &range : std::span(question.ranges).subspan(i)) {
			remote.push_back({reinterpret_cast<void *>(range.address), range.size}); // NOLINT(performance-no-int-to-ptr)
		}
		const iovec local{left.data(), left.size()};
		const ssize_t got = ::process_vm_readv(static_cast<pid_t>(question.pid), &local, 1, remote.data(), remote.size(), 0);
		if (got < 0 && errno != EFAULT) {
			answer.error = errno;
			return answer; // gone, or not ours to read
		}
		auto bytes = static_cast<std::size_t>(std::max<ssize_t>(got, 0));
		for (; i < count && question.ranges[i].size <= bytes && question.ranges[i].size <= left.size(); i++) {
			was_read[i] = std::byte{1};
			bytes -= question.ranges[i].size;
			left = left.subspan(question.ranges[i].size);
		}
		if (i < count) {
			left = left.subspan(std::min<std::size_t>(question.ranges[i].size, left.size()));
			i++;
		}
	}
	answer.bytes = into.size();
	return answer;
}

Answer read_memory(const Question &question, std::span<std::byte> into) {
	if (!question.ranges.empty()) {
		return read_ranges(question, into);
	}
	Answer answer;
	while (answer.bytes < into.size()) {
		const std::uint64_t from = question.offset + answer.bytes;
		if (from < question.offset) {
			break; // garbage pointers wrap around
		}
		const iovec local{into.data() + answer.bytes, into.size() - answer.bytes};
		const iovec remote{reinterpret_cast<void *>(from), local.iov_len}; // NOLINT(performance-no-int-to-ptr)
		// The kernel copies page by page (mm/process_vm_access.c, process_vm_rw_single_vec): a hole ends the copy early.
		const ssize_t got = ::process_vm_readv(static_cast<pid_t>(question.pid), &local, 1, &remote, 1, 0);
		if (got <= 0) {
			answer.error = got < 0 ? errno : 0;
			break;
		}
		answer.bytes += static_cast<std::size_t>(got);
	}
	return answer;
}

} // namespace

Answer perform(const Question &question, std::span<std::byte> into) {
	Answer answer;
	switch (question.action) {
	case Action::open: return open_regular(question, into);
	case Action::status: return look_up(question);
	case Action::read: answer.bytes = read_at(question.file, question.offset, into, answer.error); return answer;
	case Action::memory: return read_memory(question, into);
	case Action::socket_protocol: {
		const ssize_t size = ::getxattr(question.path.c_str(), "system.sockprotoname", into.data(), into.size());
		answer.error = size < 0 ? errno : 0;
		answer.bytes = size > 0 ? static_cast<std::size_t>(size) : 0;
		return answer;
	}
	}
	answer.error = EINVAL;
	return answer;
}

} // namespace loopsnoop::foreign
