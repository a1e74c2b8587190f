// SPDX-License-Identifier: Apache-2.0
#include "cli/report.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "catch.h"
#include "redirected.h"

using namespace loopsnoop;
using namespace loopsnoop::cli;

namespace {

constexpr const char *session =
    R"({"type":"session","schema":1,"version":"0.1.0","started_at":"2026-11-22T14:03:20.000000Z","start_ns":1000,"host":"h","kernel":"k","threshold_ns":100000000,"argv":[]})"
    "\n";
constexpr const char *summary_line = R"({"type":"summary","duration_ns":5000000000,"loops":[],"lost":{}})"
                                     "\n";

class Folder {
public:
	Folder() : path_(std::filesystem::temp_directory_path() / "loopsnoop-report-XXXXXX") {
		std::string name = path_.string();
		REQUIRE(mkdtemp(name.data()) != nullptr);
		path_ = name;
	}
	~Folder() { std::filesystem::remove_all(path_); }
	Folder(const Folder &) = delete;
	Folder &operator=(const Folder &) = delete;
	Folder(Folder &&) = delete;
	Folder &operator=(Folder &&) = delete;

	[[nodiscard]] std::string file(const char *name) const { return (path_ / name).string(); }
	std::string write(const char *name, std::string_view text) const {
		std::ofstream(file(name), std::ios::binary) << text;
		return file(name);
	}

private:
	std::filesystem::path path_;
};

struct Ran {
	int status = -1;
	std::string out;
	std::string err;
};

Ran report(const Folder &folder, const std::string &file) {
	Ran ran;
	{
		const Redirected out(STDOUT_FILENO, folder.file("stdout"));
		const Redirected err(STDERR_FILENO, folder.file("stderr"));
		ran.status = run_report(ReportOptions{file, Verbosity::normal});
	}
	ran.out = read_file(folder.file("stdout"));
	ran.err = read_file(folder.file("stderr"));
	return ran;
}

} // namespace

TEST_CASE("a recording is read again as the live text") {
	const Folder folder;
	const Ran ran = report(folder, folder.write("a.jsonl", std::string(session) + summary_line));
	CHECK(ran.status == 0);
	CHECK(ran.err.empty());
	CHECK(ran.out.starts_with("loopsnoop 0.1.0: stalls of 100 ms or more"));
	CHECK(ran.out.ends_with("no stall of 100 ms or more in 5.00 s (0 iterations)\n  no event loop was seen\n"));
	CHECK(ran.out.find('\x1b') == std::string::npos);
}

TEST_CASE("a last line without a newline, CRLF and blank lines are read; newer record types passed over") {
	const Folder folder;
	std::string text = std::string("\r\n") + session + "\n{\"type\":\"from the future\"}\n" + summary_line;
	text.pop_back();
	const Ran ran = report(folder, folder.write("a.jsonl", text));
	CHECK(ran.status == 0);
	CHECK(ran.err.empty());
	CHECK(ran.out.find("no stall") != std::string::npos);
}

TEST_CASE("malformed lines are counted and reported at the end") {
	const Folder folder;
	const Ran ran =
	    report(folder, folder.write("a.jsonl", std::string(session) + "{\"type\":\"fork\"}\nrubbish\x1b[2J\n" + summary_line));
	CHECK(ran.status == 0);
	CHECK(ran.err.starts_with("loopsnoop: 2 of 4 lines of "));
	CHECK(ran.err.ends_with("could not be read (first: line 2: fork.pid: missing)\n"));
}

TEST_CASE("what is no recording is an error in one line") {
	const Folder folder;
	Ran ran = report(folder, folder.file("missing"));
	CHECK(ran.status == 1);
	CHECK(ran.err.find("cannot open the recording") != std::string::npos);
	CHECK(ran.err.find("No such file or directory") != std::string::npos);
	ran = report(folder, folder.write("empty", ""));
	CHECK(ran.status == 1);
	CHECK(ran.err.find("holds no record of loopsnoop") != std::string::npos);
	CHECK(ran.out.empty());
	ran = report(folder, folder.write("noise", std::string(200'000, '\0') + "\n" + std::string(200'000, '[')));
	CHECK(ran.status == 1);
	CHECK(ran.err.find("2 of 2 lines") != std::string::npos);
	std::filesystem::create_directory(folder.file("folder"));
	ran = report(folder, folder.file("folder"));
	CHECK(ran.status == 1);
	CHECK(ran.err.find("Is a directory") != std::string::npos);
}

TEST_CASE("a line longer than a record is counted, and nothing of it is kept; records of tasks may be longer") {
	const Folder folder;
	const std::size_t too_long = (std::size_t{8} << 20) + 1;
	const std::string text = session + std::string(too_long, '{') + "\n" + summary_line;
	Ran ran = report(folder, folder.write("a.jsonl", text));
	CHECK(ran.status == 0);
	CHECK(ran.err.find("1 of 3 lines of ") != std::string::npos);
	CHECK(ran.err.find("longer than 8 MiB, which no record is") != std::string::npos);
	CHECK(ran.out.find("no stall") != std::string::npos);

	std::string tasks = R"({"type":"tasks","pid":7,"comm":")" + std::string(too_long, 'x') + "\n"; // breaks off
	ran = report(folder, folder.write("b.jsonl", session + tasks + summary_line));
	CHECK(ran.err.find("longer than") == std::string::npos);
	CHECK(ran.err.find("1 of 3 lines of ") != std::string::npos);
}

TEST_CASE("a recording may come through a pipe while it is made, cut anywhere") {
	const Folder folder;
	const UniqueFd stdin_before(::dup(STDIN_FILENO));
	std::array<int, 2> ends{};
	REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
	const UniqueFd to_read(ends[0]);
	UniqueFd to_write(ends[1]);
	REQUIRE(::dup2(to_read.get(), STDIN_FILENO) == STDIN_FILENO);
	const std::string text = std::string(session) + summary_line;
	std::thread writer([&] {
		for (const char one : text) {
			(void)!::write(to_write.get(), &one, 1);
		}
		to_write.reset();
	});
	const Ran ran = report(folder, "-");
	writer.join();
	::dup2(stdin_before.get(), STDIN_FILENO);
	CHECK(ran.status == 0);
	CHECK(ran.err.empty());
	CHECK(ran.out.find("no stall") != std::string::npos);
}

TEST_CASE("a report whose reader has gone ends there, and that is no error") {
	const Folder folder;
	(void)std::signal(SIGPIPE, SIG_IGN);
	std::array<int, 2> ends{};
	REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
	{ const UniqueFd reader(ends[0]); }
	const UniqueFd stdout_before(::dup(STDOUT_FILENO));
	const UniqueFd gone(ends[1]);
	REQUIRE(::dup2(gone.get(), STDOUT_FILENO) == STDOUT_FILENO);
	const int status = run_report(ReportOptions{folder.write("a.jsonl", std::string(session) + summary_line), {}});
	::dup2(stdout_before.get(), STDOUT_FILENO);
	CHECK(status == 0);
}

TEST_CASE("how much the text tells is what was asked for") {
	output::TextOptions terminal;
	terminal.status_line = true;
	CHECK(text_options(terminal, Verbosity::quiet).detail == output::Detail::headlines);
	CHECK_FALSE(text_options(terminal, Verbosity::quiet).status_line);
	CHECK(text_options(terminal, Verbosity::normal).detail == output::Detail::usual);
	CHECK(text_options(terminal, Verbosity::normal).status_line);
	CHECK(text_options(terminal, Verbosity::verbose).detail == output::Detail::everything);
}
