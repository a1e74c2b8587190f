// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace loopsnoop::cli {

// The recording of `-j FILE`: lines, each whole or not there at all. loopsnoop runs as root, and the folder may be one that
// others write to: what is opened is made anew, or is a regular file of this user under one name only; no symbolic link is
// followed.
//
// A regular file that cannot be written (full disk, limit, folder gone) costs records, which are counted, never the session. So
// do bursts beyond `burst_bytes` and `bytes_per_s`: of stalls alone, other records are few. It is opened for appending, so that
// it may be cut while it is written to (copytruncate); when it has been removed it is made again. Of a pipe or a terminal a
// failed write is the end.
class RecordFile {
public:
	static constexpr std::uint64_t burst_bytes = std::uint64_t{16} << 20;
	static constexpr std::uint64_t bytes_per_s = std::uint64_t{2} << 20;

	// "-" is stdout. /dev/fd/N, /dev/stdout and /dev/stderr are descriptors of this process. A file that was there is emptied.
	// The process ignores SIGXFSZ from now on.
	static Result<RecordFile> open(const std::string &path);

	enum class Kind : std::uint8_t { limited, always }; // whether the rate limit may leave it out
	// `line` without its newline, at `now_ns` (CLOCK_MONOTONIC). False: nobody reads any more, or it cannot be written (error()).
	bool write(std::string_view line, Kind kind, std::uint64_t now_ns);
	// The first line of a file that is made again.
	void set_header(std::string line) { header_ = std::move(line); }
	// Opens the file again under its name (after SIGHUP: it may have been renamed). False: it has no name of its own.
	bool reopen();
	// To be called about once a second: makes it again when it is gone.
	void maintain();

	[[nodiscard]] bool on_stdout() const;
	[[nodiscard]] std::uint64_t lost() const { return lost_; }
	[[nodiscard]] const std::optional<Error> &error() const { return error_; } // of a pipe or a terminal
	// What went wrong with the file since the last call, once for each time that it begins.
	[[nodiscard]] std::optional<Error> take_trouble();

private:
	RecordFile(UniqueFd owned, int fd, std::string path, bool regular)
	    : owned_(std::move(owned)), fd_(fd), path_(std::move(path)), regular_(regular) {}
	static Result<RecordFile> on_descriptor(int fd, const std::string &path);

	[[nodiscard]] bool within_rate(std::size_t bytes, std::uint64_t now_ns);
	bool put_whole(std::string_view text);
	void take_back(std::size_t bytes);
	void trouble(Error error);

	UniqueFd owned_; // not valid: the descriptor is another's
	int fd_;         // -1: could not be made again
	std::string path_;
	bool regular_;
	bool cut_ = false; // the last line is not whole
	bool failing_ = false;
	std::uint64_t budget_ = burst_bytes;
	std::uint64_t refilled_ns_ = 0;
	std::uint64_t lost_ = 0;
	std::string header_;
	std::optional<Error> error_;
	std::optional<Error> trouble_;
};

} // namespace loopsnoop::cli
