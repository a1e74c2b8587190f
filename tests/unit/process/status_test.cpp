// SPDX-License-Identifier: Apache-2.0
#include "process/status.h"

#include <string>

#include "catch.h"
#include "fixture.h"
#include "process/procfs.h"

using namespace loopsnoop::process;

namespace {

constexpr std::string_view after_comm =
    ") S 17 4 4 0 -1 4194304 99 0 0 0 7 8 0 0 20 0 5 0 123254 3133440 382 18446744073709551615 0\n";
constexpr std::string_view status_text =
    "Name:\tx\nTgid:\t4711\nPid:\t4711\nUid:\t1000\t0\t0\t0\nNSpid:\t4711\t12\t1\nThreads:\t5\n";

std::string stat_of(std::string_view comm) { return "4711 (" + std::string(comm) + std::string(after_comm); }

} // namespace

TEST_CASE("status of a process") {
	const auto status = parse_status(stat_of("cat"), status_text);
	REQUIRE(status);
	CHECK(status->comm == "cat");
	CHECK(status->state == 'S');
	CHECK(status->ppid == 17);
	CHECK(status->tgid == 4711);
	CHECK(status->threads == 5);
	CHECK(status->start_time_ticks == 123254);
	CHECK(status->uid == 1000);
	CHECK(status->nspids == std::vector<std::uint32_t>{4711, 12, 1});
}

TEST_CASE("a comm may hold what ends a comm") {
	for (const std::string comm : {") R (", "a b", "((", "))", "x\ny", "", ") S 1 1 1", "\xff\xfe\t"}) {
		const auto status = parse_status(stat_of(comm), status_text);
		REQUIRE(status);
		CHECK(status->comm == comm);
		CHECK(status->state == 'S');
		CHECK(status->start_time_ticks == 123254);
	}
}

TEST_CASE("a stat or status that is broken is no status") {
	const std::string whole = stat_of("cat");
	const std::size_t start_time = whole.find("123254");
	for (std::size_t size = 0; size < start_time; ++size) {
		CHECK_FALSE(parse_status(std::string_view(whole).substr(0, size), status_text));
	}
	CHECK_FALSE(parse_status(")(", status_text));
	CHECK_FALSE(parse_status(std::string(4096, '\0'), status_text));
	CHECK_FALSE(parse_status("1 (x) S 99999999999999999999 4 4 0 -1 0 0 0 0 0 0 0 0 0 20 0 5 0 1 1", status_text));
	CHECK_FALSE(parse_status("1 (x) S -1 4 4 0 -1 0 0 0 0 0 0 0 0 0 20 0 5 0 1 1", status_text));
	CHECK_FALSE(parse_status(whole, ""));
	CHECK_FALSE(parse_status(whole, "Tgid:\nUid:\nNSpid:\n"));
	CHECK_FALSE(parse_status(whole, "Tgid:\t99999999999\nUid:\t0\nNSpid:\t1\n"));
}

TEST_CASE("syscall of a sleeping thread") {
	const auto in_call =
	    parse_syscall("232 0x6 0x7ff40a502000 0x20000 0xffffffff 0x0 0xffffffffffffffff 0x7ffc534c7fa8 0x7ff40a67c2ad\n");
	REQUIRE(in_call);
	CHECK(in_call->number == 232);
	CHECK(in_call->args[0] == 6);
	CHECK(in_call->args[5] == ~0ULL);
	CHECK(in_call->sp == 0x7ffc534c7fa8);
	CHECK(in_call->pc == 0x7ff40a67c2ad);
	const auto in_fault = parse_syscall("-1 0x7ffc534c7fa8 0x7ff40a67c2ad\n");
	REQUIRE(in_fault);
	CHECK_FALSE(in_fault->number);
	CHECK_FALSE(in_fault->running);
	CHECK(in_fault->pc == 0x7ff40a67c2ad);
	const auto running = parse_syscall("running\n");
	REQUIRE(running);
	CHECK(running->running);
	for (const std::string_view broken : {"", "\n", "232", "232 0x1 0x2", "x 0x1 0x2", "0 1 2 3 4 5 6 7 8", "-1 0x1",
	                                      "-1 0x1 0xzz", "99999999999999999999 0x1", "runningx"}) {
		CHECK_FALSE(parse_syscall(broken));
	}
}

TEST_CASE("processes of a fixture tree") {
	const FixtureTree tree;
	tree.file("4711/stat", stat_of("my app"));
	tree.file("4711/status", status_text);
	tree.file("4711/comm", "my app\n");
	tree.file("4711/cmdline", std::string_view("python3\0-m\0\0app\0\0\0\0", 19));
	tree.file("4711/cgroup", "4:cpu,cpuacct:/a:b\njunk\n::\nx:y:z\n0::/c\n");
	tree.file("4711/task/4711/comm", "main\n");
	tree.file("4711/task/4712/comm", "two\nlines\n");
	tree.file("4711/task/4713/stat", "gone in between");
	tree.file("4711/task/4711/children", "99 12 ");
	tree.file("4711/task/4712/children", "50 x 99999999999999 ");
	tree.file("4711/task/4711/wchan", "0");
	tree.file("4711/task/4712/wchan", "futex_wait_queue");
	tree.link("4711/ns/net", "net:[4026531840]");
	tree.link("4711/ns/pid", "pid:[");
	tree.link("4711/exe", "/usr/bin/python3 (deleted)");
	tree.file("self-not-a-pid/comm", "x");
	tree.file("4294967296/comm", "too large for a pid");
	const ProcFs procfs(tree.root());

	CHECK(procfs.pids() == std::vector<std::uint32_t>{4711});
	REQUIRE(procfs.status(4711));
	CHECK(procfs.status(4711)->comm == "my app");
	CHECK(procfs.comm(4711) == "my app");
	CHECK(procfs.cmdline(4711) == std::vector<std::string>{"python3", "-m", "", "app"});
	CHECK(procfs.thread_name(4711, 4712) == "two\nlines");
	CHECK(procfs.threads(4711).size() == 2);
	CHECK(procfs.children(4711) == std::vector<std::uint32_t>{12, 50, 99});
	CHECK_FALSE(procfs.wait_channel(4711, 4711));
	CHECK(procfs.wait_channel(4711, 4712) == "futex_wait_queue");
	CHECK(procfs.ns_inode(4711, "net") == 4026531840);
	CHECK_FALSE(procfs.ns_inode(4711, "pid"));
	CHECK(procfs.same_namespace(4711, 4711, "net") == true);
	CHECK_FALSE(procfs.same_namespace(4711, 4711, "mnt"));
	const auto cgroups = procfs.cgroups(4711);
	REQUIRE(cgroups.size() == 2);
	CHECK(cgroups[0].controllers == "cpu,cpuacct");
	CHECK(cgroups[0].path == "/a:b");
	CHECK(cgroups[1].controllers.empty());
	const auto exe = procfs.exe(4711);
	REQUIRE(exe);
	CHECK(exe->path == "/usr/bin/python3");
	CHECK(exe->deleted);
	tree.link("4711/cwd", "/srv/app");
	CHECK(procfs.target_file(4711, "/etc/x").path == "/etc/x");
	CHECK(procfs.target_file(4711, "x").path == "/srv/app/x");
	CHECK(procfs.target_file(4711, "x").root == tree.root() + "/4711/root");
	CHECK(procfs.target_file(4712, "x").path.empty());
}

TEST_CASE("a program is known by the name that it was started by") {
	const FixtureTree tree;
	tree.file("files/check-rdb", "one program");
	tree.link("files/server", "check-rdb");
	tree.file("files/script", "another file");
	tree.link("10/root", "/");
	tree.link("10/exe", tree.path("files/check-rdb"));
	const ProcFs procfs(tree.root());
	const auto program = procfs.exe(10);
	REQUIRE(program);
	const auto as = [&](std::string_view comm) {
		tree.file("10/comm", comm);
		return procfs.known_path(10, *program);
	};
	CHECK(as("server\n") == tree.path("files/server"));
	for (const char *comm : {"script\n", "check\n", "check-rdb\n", "missing\n", "../files/server\n", "\n"}) {
		CHECK(as(comm) == tree.path("files/check-rdb"));
	}
}

TEST_CASE("without children files, children are found by their parent") {
	const FixtureTree tree;
	for (const char *pid : {"21", "22", "17"}) {
		tree.file(std::string(pid) + "/stat", stat_of("x")); // ppid 17
		tree.file(std::string(pid) + "/status", status_text);
	}
	tree.file("23/stat", "junk");
	CHECK(ProcFs(tree.root()).children(17) == std::vector<std::uint32_t>{17, 21, 22});
}

TEST_CASE("a process that is gone") {
	const FixtureTree tree;
	for (const ProcFs &procfs : {ProcFs(tree.root()), ProcFs("/proc")}) {
		const std::uint32_t gone = 0x7fffffff;
		CHECK_FALSE(procfs.exists(gone));
		REQUIRE_FALSE(procfs.status(gone));
		CHECK(procfs.status(gone).error().code == ENOENT);
		CHECK_FALSE(procfs.maps(gone));
		CHECK(procfs.threads(gone).empty());
		CHECK(procfs.children(gone).empty());
		CHECK(procfs.comm(gone).empty());
		CHECK(procfs.cmdline(gone).empty());
		CHECK(procfs.cgroups(gone).empty());
		CHECK_FALSE(procfs.exe(gone));
		CHECK_FALSE(procfs.descriptor(gone, 0));
		CHECK(procfs.epoll_targets(gone, 3).empty());
		CHECK_FALSE(procfs.syscall(gone, gone));
		CHECK_FALSE(procfs.ns_inode(gone, "net"));
		CHECK_FALSE(loopsnoop::foreign::File::open(procfs.target_file(gone, "/etc/passwd")));
	}
}
