// SPDX-License-Identifier: Apache-2.0
#include "cli/record_file.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "catch.h"

using namespace loopsnoop;
using cli::RecordFile;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t s = 1'000'000'000;

class Folder {
public:
	Folder() {
		std::string name = (fs::temp_directory_path() / "record-file.XXXXXX").string();
		REQUIRE(mkdtemp(name.data()) != nullptr);
		path_ = name;
	}
	~Folder() { fs::remove_all(path_); }
	Folder(const Folder &) = delete;
	Folder &operator=(const Folder &) = delete;
	Folder(Folder &&) = delete;
	Folder &operator=(Folder &&) = delete;
	[[nodiscard]] std::string operator/(const std::string &name) const { return (path_ / name).string(); }

private:
	fs::path path_;
};

std::string text_of(const std::string &path) {
	std::ostringstream out;
	out << std::ifstream(path).rdbuf();
	return out.str();
}

void put(const std::string &path, const std::string &text) { std::ofstream(path) << text; }

RecordFile opened(const std::string &path) {
	auto file = RecordFile::open(path);
	INFO((file ? "" : file.error().describe()));
	REQUIRE(file);
	return std::move(*file);
}

// Files may grow to `bytes`, as long as this lives.
class SizeLimit {
public:
	explicit SizeLimit(rlim_t bytes) {
		getrlimit(RLIMIT_FSIZE, &before_);
		const rlimit now{bytes, before_.rlim_max};
		REQUIRE(setrlimit(RLIMIT_FSIZE, &now) == 0);
	}
	~SizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }
	SizeLimit(const SizeLimit &) = delete;
	SizeLimit &operator=(const SizeLimit &) = delete;
	SizeLimit(SizeLimit &&) = delete;
	SizeLimit &operator=(SizeLimit &&) = delete;

private:
	rlimit before_{};
};

} // namespace

TEST_CASE("a recording is made for its owner alone, and one of ours is emptied first") {
	const Folder folder;
	const std::string path = folder / "r.jsonl";
	put(path, "old\n");
	fs::permissions(path, fs::perms::all);
	RecordFile file = opened(path);
	CHECK(file.write("a", RecordFile::Kind::always, s));
	CHECK(text_of(path) == "a\n");
	struct stat status {};
	REQUIRE(stat(path.c_str(), &status) == 0);
	CHECK((status.st_mode & 0777U) == 0600);
}

TEST_CASE("what is behind a link is not touched") {
	const Folder folder;
	put(folder / "precious", "keep me\n");
	fs::permissions(folder / "precious", fs::perms::owner_all);
	fs::create_symlink(folder / "precious", folder / "symbolic");
	fs::create_symlink(folder / "nothing", folder / "dangling");
	fs::create_hard_link(folder / "precious", folder / "hard");
	for (const auto &[name, words] :
	     {std::pair("symbolic", "symbolic link"), std::pair("dangling", "symbolic link"), std::pair("hard", "hard links")}) {
		const auto file = RecordFile::open(folder / name);
		REQUIRE_FALSE(file);
		CHECK(file.error().describe().find(words) != std::string::npos);
	}
	CHECK_FALSE(fs::exists(folder / "nothing"));
	CHECK(text_of(folder / "precious") == "keep me\n");
	CHECK(fs::status(folder / "precious").permissions() == fs::perms::owner_all);
	CHECK_FALSE(RecordFile::open(folder / ""));
}

TEST_CASE("a line that does not fit is taken back and counted, and it goes on when there is room") {
	const Folder folder;
	const std::string path = folder / "r.jsonl";
	RecordFile file = opened(path);
	CHECK(file.write("first", RecordFile::Kind::always, s));
	{
		const SizeLimit limit(10);
		CHECK(file.write("a line of more than ten bytes", RecordFile::Kind::always, s));
		CHECK(file.write("and another", RecordFile::Kind::always, s));
	}
	CHECK(file.lost() == 2);
	const auto trouble = file.take_trouble();
	REQUIRE(trouble);
	CHECK(trouble->code == EFBIG);
	CHECK_FALSE(file.take_trouble()); // said once
	CHECK(file.write("last", RecordFile::Kind::always, s));
	CHECK(text_of(path) == "first\nlast\n");
	CHECK(file.lost() == 2);
}

TEST_CASE("a file that is cut while it is written to goes on at its beginning") {
	const Folder folder;
	const std::string path = folder / "r.jsonl";
	RecordFile file = opened(path);
	CHECK(file.write("before", RecordFile::Kind::always, s));
	fs::resize_file(path, 0);
	CHECK(file.write("after", RecordFile::Kind::always, s));
	CHECK(text_of(path) == "after\n");
}

TEST_CASE("a file that was renamed or removed is made again, with its first line") {
	const Folder folder;
	const std::string path = folder / "r.jsonl";
	RecordFile file = opened(path);
	file.set_header("header");
	CHECK(file.write("header", RecordFile::Kind::always, s));
	fs::rename(path, folder / "old");
	file.maintain(); // it has a name, and goes on there
	CHECK(file.write("one", RecordFile::Kind::always, s));
	CHECK(file.reopen());
	CHECK(file.write("two", RecordFile::Kind::always, s));
	CHECK(text_of(folder / "old") == "header\none\n");
	CHECK(text_of(path) == "header\ntwo\n");
	fs::remove(path);
	file.maintain();
	CHECK(file.write("three", RecordFile::Kind::always, s));
	CHECK(text_of(path) == "header\nthree\n");
	CHECK(file.lost() == 0);
}

TEST_CASE("a folder that is gone costs counted records until it is back") {
	const Folder folder;
	fs::create_directory(folder / "sub");
	const std::string path = folder / "sub/r.jsonl";
	RecordFile file = opened(path);
	fs::remove_all(folder / "sub");
	file.maintain();
	REQUIRE(file.take_trouble());
	CHECK(file.write("lost", RecordFile::Kind::always, s));
	CHECK(file.lost() == 1);
	fs::create_directory(folder / "sub");
	file.maintain();
	CHECK(file.write("kept", RecordFile::Kind::always, s));
	CHECK(text_of(path) == "kept\n");
	CHECK(file.lost() == 1);
}

TEST_CASE("stalls beyond the rate are counted and left out, other records are written") {
	const Folder folder;
	const std::string path = folder / "r.jsonl";
	RecordFile file = opened(path);
	const std::string line(1 << 20, 'x');
	for (int i = 0; i < 40; i++) {
		CHECK(file.write(line, RecordFile::Kind::limited, s));
	}
	CHECK(file.lost() == 24);
	CHECK(file.write(line, RecordFile::Kind::always, s));
	CHECK(file.lost() == 24);
	CHECK(fs::file_size(path) == 17 * (line.size() + 1));
	for (int i = 0; i < 40; i++) {
		CHECK(file.write(line, RecordFile::Kind::limited, 3 * s));
	}
	CHECK(file.lost() == 24 + 36); // two seconds later there is room for four
}

TEST_CASE("descriptors of this process may be named") {
	std::array<int, 2> ends{};
	REQUIRE(pipe(ends.data()) == 0);
	RecordFile file = opened("/dev/fd/" + std::to_string(ends[1]));
	CHECK(file.write("a", RecordFile::Kind::limited, s));
	std::array<char, 8> got{};
	CHECK(read(ends[0], got.data(), got.size()) == 2);
	(void)std::signal(SIGPIPE, SIG_IGN);
	close(ends[0]);
	CHECK_FALSE(file.write("b", RecordFile::Kind::limited, s)); // nobody reads any more: no error but the end
	CHECK_FALSE(file.error());
	CHECK_FALSE(file.reopen());
	close(ends[1]);
	CHECK_FALSE(RecordFile::open("/dev/fd/987"));
}
