// SPDX-License-Identifier: Apache-2.0
#include "process/sqlite_locks.h"

#include <sys/sysmacros.h>

#include <array>
#include <cstdio>
#include <initializer_list>
#include <string>

#include "catch.h"
#include "fixture.h"
#include "process/pseudo_file.h"

using namespace loopsnoop;
using namespace loopsnoop::process;

namespace {

// Process 10 has a database open, with a write-ahead log or without; the rest is in the locks.
class Opened {
public:
	explicit Opened(bool log) {
		tree_.file("data/shop.db", "");
		tree_.link("10/fd/3", tree_.path("data/shop.db"));
		tree_.link("10/fd/4", "socket:[5678]");
		if (log) {
			tree_.file("data/shop.db-shm", "");
			tree_.link("10/fd/5", tree_.path("data/shop.db-shm"));
		}
	}

	// "WRITE 20 db 1073741825" a line
	[[nodiscard]] std::optional<LockedDatabase> with(std::initializer_list<std::string> locks) const {
		std::string text;
		for (const std::string &lock : locks) {
			const std::size_t at = lock.find("db");
			const bool shm = lock.find("db-shm") != std::string::npos;
			const auto file = identify(tree_.path(shm ? "data/shop.db-shm" : "data/shop.db"));
			REQUIRE(file);
			text += "1: POSIX  ADVISORY  " + lock.substr(0, at) + "00:00:" + std::to_string(file->inode) +
			        lock.substr(at + (shm ? 6 : 2)) + " EOF\n";
		}
		// The file system's device, as the kernel writes it.
		const auto device = identify(tree_.path("data/shop.db"))->device;
		std::array<char, 32> words{};
		(void)std::snprintf(words.data(), words.size(), "%02x:%02x:", major(device), minor(device));
		for (std::size_t at = text.find("00:00:"); at != std::string::npos; at = text.find("00:00:", at + 1)) {
			text.replace(at, 6, words.data());
		}
		tree_.file("locks", text);
		return locked_database(ProcFs(tree_.root()), 10);
	}

	[[nodiscard]] std::string path() const { return tree_.path("data/shop.db"); }

private:
	FixtureTree tree_;
};

} // namespace

TEST_CASE("who writes to a database holds it, with a log and without") {
	const Opened plain(false);
	const auto held = plain.with({"READ 20 db 1073741826", "WRITE 20 db 1073741825"});
	REQUIRE(held);
	CHECK(held->path == plain.path());
	CHECK(held->holder == 20);
	CHECK(plain.with({"WRITE 20 db 1073741824"})->holder == 20);

	const Opened logged(true);
	const auto written =
	    logged.with({"READ 10 db 1073741826", "READ 20 db 1073741826", "WRITE 20 db-shm 120", "READ 10 db-shm 128"});
	REQUIRE(written);
	CHECK(written->path == logged.path());
	CHECK(written->holder == 20);
}

TEST_CASE("readers hold up who wants to write, without a log") {
	const Opened plain(false);
	const auto read = plain.with({"READ 20 db 1073741826", "WRITE 10 db 1073741824", "READ 10 db 1073741826"});
	REQUIRE(read);
	CHECK(read->holder == 20);

	const Opened logged(true);
	CHECK_FALSE(logged.with({"READ 20 db 1073741826", "READ 10 db 1073741826", "READ 20 db-shm 123"}));
}

TEST_CASE("another connection of the process itself holds the lock") {
	const Opened plain(false);
	const auto own = plain.with({"WRITE 10 db 1073741825", "READ 10 db 1073741826"});
	REQUIRE(own);
	CHECK(own->holder == 10);
}

TEST_CASE("locks that are not SQLite's, or nobody's, say nothing") {
	const Opened plain(false);
	CHECK_FALSE(plain.with({}));
	CHECK_FALSE(plain.with({"WRITE 20 db 0", "WRITE 20 db 120", "WRITE 20 db 1073742336"}));
	CHECK_FALSE(plain.with({"READ 20 db 1073741826"}));
	CHECK_FALSE(plain.with({"WRITE -1 db 1073741825"}));
	const FixtureTree empty;
	CHECK_FALSE(locked_database(ProcFs(empty.root()), 10));
}
