// SPDX-License-Identifier: Apache-2.0
#include "cli/report.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "cli/fail.h"
#include "output/json.h"
#include "output/terminal.h"

namespace loopsnoop::cli {

namespace {

constexpr std::size_t max_line_bytes = std::size_t{8} << 20;   // a record is 1 MiB at most, a dump 7
constexpr std::size_t max_tasks_bytes = std::size_t{64} << 20; // one of 65,536 tasks has some 50

std::size_t max_bytes_of(std::string_view begin) {
	return begin.starts_with(R"({"type":"tasks")") ? max_tasks_bytes : max_line_bytes;
}

// Cuts a file into lines as it is read, so that a recording may be followed while it grows through a pipe.
class Lines {
public:
	explicit Lines(int fd) : fd_(fd) {}

	// nullopt at the end. Of a line longer than a record of its type nothing is kept, and was_too_long() holds.
	[[nodiscard]] Result<std::optional<std::string>> next() {
		std::string line;
		too_long_ = false;
		while (true) {
			const std::size_t end = buffer_.find('\n', begin_);
			const std::size_t stop = end == std::string::npos ? buffer_.size() : end;
			const std::string_view piece = std::string_view(buffer_).substr(begin_, stop - begin_);
			if (!too_long_ && line.size() + piece.size() > max_bytes_of(line.empty() ? piece : std::string_view(line))) {
				too_long_ = true;
				std::string().swap(line);
			}
			line.append(buffer_, begin_, too_long_ ? 0 : stop - begin_);
			begin_ = end == std::string::npos ? stop : stop + 1;
			if (end != std::string::npos) {
				return std::optional<std::string>(std::move(line));
			}
			const Result<bool> more = fill();
			if (!more) {
				return more.error();
			}
			if (!*more) {
				return line.empty() && !too_long_ ? std::optional<std::string>{} : std::optional<std::string>(std::move(line));
			}
		}
	}

	[[nodiscard]] bool was_too_long() const { return too_long_; } // the last line

private:
	// False at the end of the file.
	Result<bool> fill() {
		constexpr std::size_t piece = 65536;
		buffer_.resize(piece);
		begin_ = 0;
		while (true) {
			const ssize_t got = ::read(fd_, buffer_.data(), piece);
			if (got < 0 && errno == EINTR) {
				continue;
			}
			if (got < 0) {
				buffer_.clear();
				return errno_error("read");
			}
			buffer_.resize(static_cast<std::size_t>(got));
			return got > 0;
		}
	}

	int fd_;
	std::string buffer_;
	std::size_t begin_ = 0;
	bool too_long_ = false;
};

// False when nobody reads stdout any more (`| head`).
bool write_all(int fd, std::string_view text) {
	while (!text.empty()) {
		const ssize_t wrote = ::write(fd, text.data(), text.size());
		if (wrote < 0 && errno != EINTR) {
			return false;
		}
		text.remove_prefix(wrote < 0 ? 0 : static_cast<std::size_t>(wrote));
	}
	return true;
}

} // namespace

output::TextOptions text_options(output::TextOptions terminal, Verbosity verbosity) {
	switch (verbosity) {
	case Verbosity::quiet:
		terminal.detail = output::Detail::headlines;
		terminal.status_line = false;
		break;
	case Verbosity::normal: terminal.detail = output::Detail::usual; break;
	case Verbosity::verbose: terminal.detail = output::Detail::everything; break;
	}
	return terminal;
}

int run_report(const ReportOptions &options) {
	UniqueFd file;
	if (options.file != "-") {
		file.reset(::open(options.file.c_str(), O_RDONLY | O_CLOEXEC));
		if (!file.valid()) {
			complain(errno_error("open the recording", options.file).describe());
			return 1;
		}
	}
	Lines lines(file.valid() ? file.get() : STDIN_FILENO);

	output::TextOptions text = text_options(output::text_options_for(STDOUT_FILENO), options.verbosity);
	text.status_line = false;
	bool reader_gone = false;
	output::TextReport report(text, [&](std::string_view out) { reader_gone = reader_gone || !write_all(STDOUT_FILENO, out); });

	std::size_t records = 0;
	std::size_t number = 0;
	std::size_t malformed = 0;
	std::string first_problem;
	bool failed = false;
	while (!reader_gone) {
		const Result<std::optional<std::string>> line = lines.next();
		if (!line) {
			complain(Error{"read the recording", options.file, line.error().code, {}}.describe());
			failed = true;
			break;
		}
		if (!line.value()) {
			break;
		}
		number++;
		if (!lines.was_too_long() && line.value()->find_first_not_of(" \t\r") == std::string::npos) {
			continue;
		}
		const Result<std::optional<Record>> record =
		    lines.was_too_long()
		        ? make_error("read it", fmt::format("it is longer than {} MiB, which no record is", max_line_bytes >> 20))
		        : output::parse_json_line(*line.value());
		if (!record) {
			malformed++;
			if (first_problem.empty()) {
				first_problem = fmt::format("line {}: {}", number, record.error().on);
			}
		} else if (record.value()) {
			records++;
			report.write(*record.value());
		}
	}
	report.finish();

	const std::string unread =
	    malformed == 0 ? std::string()
	                   : fmt::format("{} of {} lines could not be read (first: {})", malformed, number, first_problem);
	if (records == 0 && !failed) {
		complain(fmt::format("{} holds no record of loopsnoop{}; record with: loopsnoop -p PID --json FILE", options.file,
		                     unread.empty() ? "" : ": " + unread));
	} else if (!unread.empty()) {
		complain(
		    fmt::format("{} of {} lines of {} could not be read (first: {})", malformed, number, options.file, first_problem));
	}
	return records == 0 || failed ? 1 : 0;
}

} // namespace loopsnoop::cli
