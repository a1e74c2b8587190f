// SPDX-License-Identifier: Apache-2.0
#include "cli/record_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <utility>

namespace loopsnoop::cli {

namespace {

constexpr mode_t owner_only = 0600; // stacks and paths of others' programs go into it
constexpr int common_flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC;
constexpr std::string_view what = "write the recording";

// The descriptor that a path of /dev names: those are symbolic links, which a shell's >(…) uses.
std::optional<int> descriptor_of(std::string_view path) {
	if (path == "-" || path == "/dev/stdout") {
		return STDOUT_FILENO;
	}
	if (path == "/dev/stderr") {
		return STDERR_FILENO;
	}
	for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
		int fd = -1;
		if (path.starts_with(folder) &&
		    std::from_chars(path.data() + folder.size(), path.data() + path.size(), fd).ptr == path.data() + path.size()) {
			return fd;
		}
	}
	return std::nullopt;
}

bool is_regular(int fd) {
	struct stat status {};
	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

// Null: it may be written to.
std::optional<Error> refusal(const struct stat &status, const std::string &path) {
	if (S_ISCHR(status.st_mode)) {
		return std::nullopt; // /dev/null, a terminal
	}
	if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode)) {
		return make_error(std::string(what), path, "it is neither a file nor a pipe: name another");
	}
	if (status.st_uid != geteuid()) {
		return make_error(std::string(what), path, "it is there and belongs to another user: remove it or name another");
	}
	if (S_ISREG(status.st_mode) && status.st_nlink > 1) {
		return make_error(std::string(what), path, "it is there and has other names (hard links): remove it or name another");
	}
	return std::nullopt;
}

// New, or one that was there and is ours.
Result<UniqueFd> open_checked(const std::string &path) {
	UniqueFd made(::open(path.c_str(), common_flags | O_CREAT | O_EXCL, owner_only));
	if (made.valid()) {
		return made;
	}
	if (errno != EEXIST) {
		return errno_error(std::string(what), path);
	}
	UniqueFd there(::open(path.c_str(), common_flags | O_NONBLOCK)); // a FIFO that nobody reads is an error, not a wait
	if (!there.valid()) {
		return errno == ELOOP ? make_error(std::string(what), path, "it is a symbolic link: name the file itself")
		                      : errno_error(std::string(what), path);
	}
	struct stat status {};
	if (fstat(there.get(), &status) != 0) {
		return errno_error(std::string(what), path);
	}
	if (auto refused = refusal(status, path)) {
		return std::move(*refused);
	}
	return there;
}

} // namespace

Result<RecordFile> RecordFile::on_descriptor(int fd, const std::string &path) {
	if (fcntl(fd, F_GETFL) < 0) {
		return errno_error(std::string(what), path);
	}
	return RecordFile(UniqueFd(), fd, path == "-" ? "standard output" : path, is_regular(fd));
}

Result<RecordFile> RecordFile::open(const std::string &path) {
	(void)std::signal(SIGXFSZ, SIG_IGN); // a file-size limit is EFBIG then
	if (const auto fd = descriptor_of(path)) {
		return on_descriptor(*fd, path);
	}
	auto file = open_checked(path);
	if (!file) {
		return file.error();
	}
	const bool regular = is_regular(file->get());
	if (regular && (ftruncate(file->get(), 0) != 0 || fchmod(file->get(), owner_only) != 0)) {
		return errno_error(std::string(what), path);
	}
	const int fd = file->get();
	return RecordFile(std::move(*file), fd, path, regular);
}

bool RecordFile::on_stdout() const { return fd_ == STDOUT_FILENO; }

bool RecordFile::within_rate(std::size_t bytes, std::uint64_t now_ns) {
	constexpr std::uint64_t ns_per_ms = 1'000'000;
	constexpr std::uint64_t ms_per_s = 1000;
	const std::uint64_t elapsed_ms = refilled_ns_ == 0 || now_ns < refilled_ns_ ? 0 : (now_ns - refilled_ns_) / ns_per_ms;
	if (refilled_ns_ == 0) {
		refilled_ns_ = now_ns;
	}
	constexpr std::uint64_t enough_ms = burst_bytes * ms_per_s / bytes_per_s;
	budget_ = std::min(burst_bytes, budget_ + std::min(elapsed_ms, enough_ms) * bytes_per_s / ms_per_s);
	refilled_ns_ += elapsed_ms * ns_per_ms;
	if (bytes > budget_) {
		return false;
	}
	budget_ -= bytes;
	return true;
}

bool RecordFile::write(std::string_view line, Kind kind, std::uint64_t now_ns) {
	if (!regular_) {
		return put_whole(std::string(line) + "\n");
	}
	if (!within_rate(line.size(), now_ns) && kind == Kind::limited) {
		lost_++;
		return true;
	}
	std::string text = cut_ ? "\n" : "";
	text.append(line) += '\n';
	if (fd_ < 0 || !put_whole(text)) {
		lost_++;
	}
	return true;
}

bool RecordFile::put_whole(std::string_view text) {
	std::size_t done = 0;
	while (done < text.size()) {
		const ssize_t n = ::write(fd_, text.data() + done, text.size() - done);
		if (n > 0) {
			done += static_cast<std::size_t>(n);
			continue;
		}
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0 && errno == EAGAIN) {
			pollfd ready{fd_, POLLOUT, 0};
			(void)poll(&ready, 1, -1);
			continue;
		}
		if (regular_) {
			trouble(errno_error("write", path_, "records are lost, and counted, until it can be written again"));
			take_back(done);
		} else if (errno != EPIPE) {
			error_ = errno_error("write", path_, "the session ends here; what was written is whole");
		}
		return false;
	}
	cut_ = false;
	failing_ = false;
	return true;
}

// Takes the beginning of a line off again; unless somebody else has written after it.
void RecordFile::take_back(std::size_t bytes) {
	if (bytes == 0) {
		return;
	}
	struct stat status {};
	const off_t end = lseek(fd_, 0, SEEK_CUR); // behind what was appended last
	const bool ours = end >= static_cast<off_t>(bytes) && fstat(fd_, &status) == 0 && status.st_size == end;
	cut_ = !ours || ftruncate(fd_, end - static_cast<off_t>(bytes)) != 0;
}

bool RecordFile::reopen() {
	if (!owned_.valid() && fd_ >= 0) {
		return false;
	}
	auto file = open_checked(path_);
	if (!file) {
		trouble(file.error());
		return true; // what was open stays so
	}
	owned_ = std::move(*file);
	fd_ = owned_.get();
	regular_ = is_regular(fd_);
	cut_ = failing_ = false;
	struct stat status {};
	if (!header_.empty() && fstat(fd_, &status) == 0 && status.st_size == 0) {
		(void)put_whole(header_ + "\n");
	}
	return true;
}

void RecordFile::maintain() {
	struct stat status {};
	if (fd_ >= 0 && (!owned_.valid() || !regular_ || fstat(fd_, &status) != 0 || status.st_nlink > 0)) {
		return;
	}
	// Nobody can read any more what is written to a file without a name.
	owned_.reset();
	fd_ = -1;
	(void)reopen();
}

void RecordFile::trouble(Error error) {
	if (!std::exchange(failing_, true)) {
		trouble_ = std::move(error);
	}
}

std::optional<Error> RecordFile::take_trouble() { return std::exchange(trouble_, std::nullopt); }

} // namespace loopsnoop::cli
