// SPDX-License-Identifier: Apache-2.0
// Lines on stderr and stdout: whole, escaped, and none where nobody reads.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "catch.h"
#include "cli/fail.h"
#include "cli/record_writer.h"
#include "cli/unanswered.h"
#include "fixture.h"
#include "redirected.h"

using namespace loopsnoop;
using namespace loopsnoop::cli;

namespace {

struct Pipe {
	UniqueFd reader, writer;

	explicit Pipe(int flags = 0) {
		std::array<int, 2> ends{};
		REQUIRE(::pipe2(ends.data(), O_CLOEXEC | flags) == 0);
		reader.reset(ends[0]);
		writer.reset(ends[1]);
	}
};

} // namespace

TEST_CASE("an error is one line on stderr, whatever its parts hold") {
	const FixtureTree folder;
	int status = 0;
	{
		const Redirected err(STDERR_FILENO, folder.path("stderr"));
		status = fail(make_error("follow", "a\nb\x1b[2J", "try again"));
	}
	CHECK(status == 1);
	const std::string line = read_file(folder.path("stderr"));
	CHECK(line.starts_with("loopsnoop: cannot follow (a\\x0ab\\x1b[2J)"));
	CHECK(line.find('\n') == line.size() - 1);
	CHECK(line.find("try again") != std::string::npos);
}

TEST_CASE("what did not answer is a line each, and none where all did") {
	CHECK(unanswered_lines({}).empty());
	foreign::Unanswered place;
	place.path = "/srv/app/x\x1b.so";
	place.file_system = "nfs 10.0.0.7:/export (mounted at /srv)";
	const std::array places{place, place};
	const std::string line =
	    "loopsnoop: /srv/app/x\\x1b.so is on nfs 10.0.0.7:/export (mounted at /srv), which does not answer\n";
	CHECK(unanswered_lines(places) == line + line);
}

TEST_CASE("lines are written whole, as long as it takes the reader to read them") {
	Pipe pipe(O_NONBLOCK); // which a terminal may be, too
	const std::string text(std::size_t{1} << 20, 'x');
	std::size_t got = 0;
	std::thread reader([&] {
		std::array<char, 65536> bytes{};
		while (got < text.size()) {
			const ssize_t n = ::read(pipe.reader.get(), bytes.data(), bytes.size());
			got += n > 0 ? static_cast<std::size_t>(n) : 0;
		}
	});
	LineWriter out = LineWriter::on(pipe.writer.get());
	CHECK(out.write(text));
	reader.join();
	CHECK(got == text.size());
	CHECK_FALSE(out.error());
}

TEST_CASE("a reader that has gone is the end and no error; a full disk is one") {
	(void)std::signal(SIGPIPE, SIG_IGN);
	Pipe pipe;
	pipe.reader.reset();
	LineWriter out = LineWriter::on(pipe.writer.get());
	CHECK_FALSE(out.write("x"));
	CHECK_FALSE(out.error());
	const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
	REQUIRE(full.valid());
	LineWriter on_full = LineWriter::on(full.get());
	CHECK_FALSE(on_full.write("x"));
	REQUIRE(on_full.error());
	CHECK(on_full.error()->code == ENOSPC);
}
