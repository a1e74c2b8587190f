// SPDX-License-Identifier: Apache-2.0
#include "process/sqlite_locks.h"

#include <sys/sysmacros.h>

#include <fmt/format.h>

#include <initializer_list>
#include <sstream>
#include <string>

#include "catch.h"
#include "fixture.h"
#include "process/pseudo_file.h"

using namespace loopsnoop;
using namespace loopsnoop::process;

namespace {

// Process 10 has two databases open, both with a write-ahead log or without; the rest is in the locks.
class Opened {
public:
	explicit Opened(bool log) {
		open(3, "shop.db");
		open(4, "stock.db");
		tree_.link("10/fd/5", "socket:[5678]");
		if (log) {
			open(6, "shop.db-shm");
			open(7, "stock.db-shm");
		}
	}

	// Each as /proc/locks has it, but for a name in place of the file: "WRITE 20 shop.db 1073741825".
	[[nodiscard]] std::optional<LockedDatabase> with(std::initializer_list<std::string> locks) const {
		std::string text;
		for (const std::string &lock : locks) {
			std::istringstream words(lock);
			std::string access, pid, name, start;
			words >> access >> pid >> name >> start;
			const auto file = identify(path(name));
			REQUIRE(file);
			text += fmt::format("1: POSIX  ADVISORY  {} {} {:02x}:{:02x}:{} {} EOF\n", access, pid, major(file->device),
			                    minor(file->device), file->inode, start);
		}
		tree_.file("locks", text);
		return locked_database(ProcFs(tree_.root()), 10);
	}

	[[nodiscard]] std::string path(const std::string &name = "shop.db") const { return tree_.path("data/" + name); }

private:
	void open(int fd, const std::string &name) const {
		tree_.file("data/" + name, "");
		tree_.link("10/fd/" + std::to_string(fd), path(name));
	}

	FixtureTree tree_;
};

} // namespace

TEST_CASE("who writes to a database holds it, with a log and without") {
	const Opened plain(false);
	const auto held = plain.with({"READ 20 shop.db 1073741826", "WRITE 20 shop.db 1073741825"});
	REQUIRE(held);
	CHECK(held->path == plain.path());
	CHECK(held->holder == 20);
	CHECK(plain.with({"WRITE 20 shop.db 1073741824"})->holder == 20);

	const Opened logged(true);
	const auto written = logged.with(
	    {"READ 10 shop.db 1073741826", "READ 20 shop.db 1073741826", "WRITE 20 shop.db-shm 120", "READ 10 shop.db-shm 128"});
	REQUIRE(written);
	CHECK(written->path == logged.path());
	CHECK(written->holder == 20);
}

TEST_CASE("readers hold up who wants to write, without a log") {
	const Opened plain(false);
	const auto read = plain.with({"READ 20 shop.db 1073741826", "WRITE 10 shop.db 1073741824", "READ 10 shop.db 1073741826"});
	REQUIRE(read);
	CHECK(read->holder == 20);

	const Opened logged(true);
	CHECK_FALSE(logged.with({"READ 20 shop.db 1073741826", "READ 10 shop.db 1073741826", "READ 20 shop.db-shm 123"}));
}

TEST_CASE("another connection of the process itself holds the lock") {
	const Opened plain(false);
	const auto own = plain.with({"WRITE 10 shop.db 1073741825", "READ 10 shop.db 1073741826"});
	REQUIRE(own);
	CHECK(own->holder == 10);
}

TEST_CASE("locks that are not SQLite's, or nobody's, say nothing") {
	const Opened plain(false);
	CHECK_FALSE(plain.with({}));
	CHECK_FALSE(plain.with({"WRITE 20 shop.db 0", "WRITE 20 shop.db 120", "WRITE 20 shop.db 1073742336"}));
	CHECK_FALSE(plain.with({"READ 20 shop.db 1073741826"}));
	CHECK_FALSE(plain.with({"WRITE -1 shop.db 1073741825"}));
	const FixtureTree empty;
	CHECK_FALSE(locked_database(ProcFs(empty.root()), 10));
}

TEST_CASE("of several databases the one that others hold is named, and none where that may be more") {
	const Opened plain(false);
	const auto held = plain.with({"WRITE 10 stock.db 1073741825", "WRITE 20 shop.db 1073741825"});
	REQUIRE(held);
	CHECK(held->path == plain.path());
	CHECK(held->holder == 20);
	CHECK_FALSE(plain.with({"WRITE 21 stock.db 1073741825", "WRITE 20 shop.db 1073741825"}));
	CHECK_FALSE(plain.with({"WRITE 10 stock.db 1073741825", "WRITE 10 shop.db 1073741825"}));
	CHECK_FALSE(plain.with({"WRITE 10 stock.db 1073741825", "READ 20 shop.db 1073741826", "WRITE 10 shop.db 1073741824",
	                        "READ 21 stock.db 1073741826"}));
}
