// SPDX-License-Identifier: Apache-2.0
#include "cli/report.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "base/unique_fd.h"
#include "catch.h"

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

std::string content(const std::string &path) {
	std::ostringstream text;
	text << std::ifstream(path, std::ios::binary).rdbuf();
	return text.str();
}

// A standard descriptor, led into a file while this lives.
class Redirected {
public:
	Redirected(int fd, const std::string &path) : fd_(fd), saved_(::dup(fd)) {
		(void)std::fflush(nullptr);
		const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
		::dup2(file.get(), fd_);
	}
	~Redirected() {
		(void)std::fflush(nullptr);
		::dup2(saved_.get(), fd_);
	}
	Redirected(const Redirected &) = delete;
	Redirected &operator=(const Redirected &) = delete;
	Redirected(Redirected &&) = delete;
	Redirected &operator=(Redirected &&) = delete;

private:
	int fd_;
	UniqueFd saved_;
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
	ran.out = content(folder.file("stdout"));
	ran.err = content(folder.file("stderr"));
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
