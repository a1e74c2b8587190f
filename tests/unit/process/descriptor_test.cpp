// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/unique_fd.h"
#include "catch.h"
#include "fixture.h"
#include "process/procfs.h"
#include "process/resource_of.h"

using namespace loopsnoop;
using namespace loopsnoop::process;

namespace {

std::uint32_t own_pid() { return static_cast<std::uint32_t>(::getpid()); }

constexpr std::string_view tcp_header =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

} // namespace

TEST_CASE("descriptors of a fixture tree") {
	const FixtureTree tree;
	tree.descriptor(10, 3, "socket:[300]");
	tree.descriptor(10, 4, "socket:[400]");
	tree.descriptor(10, 5, "pipe:[500]", "0100001");
	tree.descriptor(10, 6, "anon_inode:[eventpoll]");
	tree.descriptor(10, 7, "socket:[999]");
	tree.descriptor(10, 8, "socket:[]");
	tree.descriptor(10, 9, "socket:[600]");
	tree.descriptor(10, 11, "/nowhere/x (deleted)", "junk");
	tree.file("10/fdinfo/6",
	          "pos:\t0\nflags:\t02\ntfd:       19 events:  19 data: 7\ntfd:        7 events: 1\ntfd: x\ntfd:\ntfd: -3\n"
	          "tfd: 99999999999\n");
	tree.file("10/net/tcp", std::string(tcp_header) + "   0: 0100007F:1538 00000000:0000 0A 0:0 0:0\n\xff\xfe\n"
	                                                  "   1: 0100007F:C958 0100007F:1538 01 0:0 0:0 0 0 0 300 1\n");
	tree.file("10/net/unix", "Num       RefCount Protocol Flags    Type St Inode Path\n"
	                         "0: 00000003 00000000 00000000 0001 03 400 /run/a b\n");
	tree.file("10/net/netlink", "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode\n0 9 0 0 0 0 0 2 0 600     \n");
	const ProcFs procfs(tree.root());

	const auto tcp = procfs.descriptor(10, 3);
	REQUIRE(tcp);
	CHECK(tcp->family == AF_INET);
	CHECK(tcp->protocol == IPPROTO_TCP);
	CHECK(tcp->inode == 300);
	CHECK(tcp->local == "127.0.0.1:51544");
	CHECK(tcp->remote == "127.0.0.1:5432");
	const auto local = procfs.descriptor(10, 4);
	REQUIRE(local);
	CHECK(local->family == AF_UNIX);
	CHECK(local->unix_path == "/run/a b");
	const auto pipe = procfs.descriptor(10, 5);
	REQUIRE(pipe);
	CHECK(pipe->kind == DescriptorKind::pipe);
	CHECK(pipe->inode == 500);
	CHECK(pipe->writable_end);
	CHECK(procfs.descriptor(10, 6)->path == "anon_inode:[eventpoll]");
	const auto nowhere = procfs.descriptor(10, 7); // in no table
	REQUIRE(nowhere);
	CHECK(nowhere->kind == DescriptorKind::socket);
	CHECK(std::get<SocketResource>(to_resource(*nowhere).is).protocol == "unknown");
	CHECK(procfs.descriptor(10, 8)->kind == DescriptorKind::unknown);
	const auto netlink = procfs.descriptor(10, 9);
	CHECK(netlink->family == AF_NETLINK);
	CHECK(netlink->protocol == 9);
	CHECK(procfs.descriptor(10, 11)->path == "/nowhere/x (deleted)");
	CHECK_FALSE(procfs.descriptor(10, 12));
	CHECK_FALSE(procfs.descriptor(10, -1));
	CHECK(procfs.epoll_targets(10, 6) == std::vector<int>{7, 19});
	CHECK(procfs.epoll_targets(10, 3).empty());
}

TEST_CASE("our own descriptors") {
	const ProcFs procfs;
	const FixtureTree tree;
	const std::string name = tree.path("log\nfile");
	const UniqueFd file(::open(name.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	REQUIRE(file.valid());
	const auto open = procfs.descriptor(own_pid(), file.get());
	REQUIRE(open);
	CHECK(open->kind == DescriptorKind::file);
	CHECK(open->path == name);
	CHECK(open->writable_end);
	struct stat found {};
	REQUIRE(::fstat(file.get(), &found) == 0);
	CHECK(open->inode == found.st_ino);
	CHECK(open->device == found.st_dev);
	REQUIRE(::unlink(name.c_str()) == 0);
	CHECK(procfs.descriptor(own_pid(), file.get())->path == name + " (deleted)");

	const UniqueFd event(::eventfd(0, EFD_CLOEXEC));
	CHECK(procfs.descriptor(own_pid(), event.get())->path == "anon_inode:[eventfd]");
	CHECK(procfs.descriptor(own_pid(), event.get())->kind == DescriptorKind::anonymous);

	const UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
	epoll_event wanted{};
	wanted.events = EPOLLIN;
	REQUIRE(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, event.get(), &wanted) == 0);
	CHECK(procfs.epoll_targets(own_pid(), epoll.get()) == std::vector<int>{event.get()});

	std::array<int, 2> ends{};
	REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
	const UniqueFd reader(ends[0]);
	const UniqueFd writer(ends[1]);
	CHECK_FALSE(procfs.descriptor(own_pid(), reader.get())->writable_end);
	CHECK(procfs.descriptor(own_pid(), writer.get())->writable_end);
	CHECK(procfs.descriptor(own_pid(), writer.get())->kind == DescriptorKind::pipe);

	const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
	CHECK(procfs.descriptor(own_pid(), null.get())->kind == DescriptorKind::character_device);
	const UniqueFd folder(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	CHECK(procfs.descriptor(own_pid(), folder.get())->kind == DescriptorKind::directory);

	// Neither bound nor connected: in no table of /proc.
	const UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
	if (netlink.valid()) {
		CHECK(procfs.descriptor(own_pid(), netlink.get())->family == AF_NETLINK);
	}
	const UniqueFd fresh(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
	if (fresh.valid()) {
		CHECK(std::get<SocketResource>(to_resource(*procfs.descriptor(own_pid(), fresh.get())).is).protocol == "tcp6");
	}
}

TEST_CASE("ourselves in /proc") {
	const ProcFs procfs;
	const auto status = procfs.status(own_pid());
	REQUIRE(status);
	CHECK(status->tgid == own_pid());
	CHECK(status->ppid == static_cast<std::uint32_t>(::getppid()));
	CHECK(status->uid == ::getuid());
	CHECK(status->start_time_ticks > 0);
	CHECK_FALSE(status->nspids.empty());
	CHECK(status->comm == procfs.comm(own_pid()));
	CHECK(procfs.threads(own_pid()).size() == status->threads);
	const auto exe = procfs.exe(own_pid());
	REQUIRE(exe);
	CHECK_FALSE(exe->deleted);
	const auto maps = procfs.maps(own_pid());
	REQUIRE(maps);
	bool own_text = false;
	for (const Mapping &mapping : *maps) {
		own_text = own_text || (mapping.executable && mapping.path == exe->path);
	}
	CHECK(own_text);
	CHECK(foreign::File::open(procfs.target_file(own_pid(), exe->path)));
	CHECK(procfs.syscall(own_pid(), own_pid())->number == 0); // in the read() of that very file
	CHECK(procfs.ns_inode(own_pid(), "net"));
}

TEST_CASE("files of a target are opened inside its root, and only regular ones") {
	const FixtureTree tree;
	tree.file("10/root/etc/real", "inside");
	tree.link("10/root/etc/absolute", "/etc/real");
	tree.link("10/root/etc/out", "../../../../../../../../etc/passwd");
	REQUIRE(::mkfifo(tree.path("10/root/fifo").c_str(), 0600) == 0);
	const ProcFs procfs(tree.root());
	for (const char *path : {"/etc/real", "/etc/absolute", "/../etc/real"}) {
		const auto file = foreign::File::open(procfs.target_file(10, path));
		REQUIRE(file);
		std::array<char, 16> content{};
		CHECK((*file)->read_some(0, std::as_writable_bytes(std::span(content))) == 6);
	}
	CHECK_FALSE(foreign::File::open(procfs.target_file(10, "/etc/out")));
	CHECK_FALSE(foreign::File::open(procfs.target_file(10, "/fifo")));
	CHECK_FALSE(foreign::File::open(procfs.target_file(10, "/etc")));
	CHECK_FALSE(foreign::File::open(procfs.target_file(10, "/none")));
}
