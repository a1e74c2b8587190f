// SPDX-License-Identifier: Apache-2.0
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "catch.h"
#include "fixture.h"
#include "process/peer_finder.h"

using namespace loopsnoop;
using namespace loopsnoop::process;
using namespace std::chrono_literals;

namespace {

constexpr const char *client_end = "127.0.0.1:51544"; // C958
constexpr const char *server_end = "127.0.0.1:5432";  // 1538

DescriptorSnapshot connection(const char *local, const char *remote, std::uint8_t state = 1) {
	DescriptorSnapshot snapshot;
	snapshot.kind = DescriptorKind::socket;
	snapshot.family = AF_INET;
	snapshot.type = SOCK_STREAM;
	snapshot.protocol = IPPROTO_TCP;
	snapshot.state = state;
	snapshot.inode = 300;
	snapshot.local = local;
	snapshot.remote = remote;
	return snapshot;
}

std::string line(const char *local, const char *remote, const char *state, int inode) {
	return std::string("   0: ") + local + " " + remote + " " + state + " 0:0 0:0 0 0 0 " + std::to_string(inode) + " 1 0\n";
}

// 10 is the target, 20 and 21 are servers.
void processes(const FixtureTree &tree) {
	for (const unsigned pid : {10U, 20U, 21U}) {
		tree.file(std::to_string(pid) + "/comm", "process" + std::to_string(pid) + "\n");
		tree.file(std::to_string(pid) + "/stat", "x");
		tree.link(std::to_string(pid) + "/ns/net", "net:[1]");
	}
}

PeerFinder finder(const FixtureTree &tree, PeerLimits limits = {}) { return PeerFinder(ProcFs(tree.root()), limits); }

std::uint32_t pid_of(const std::optional<Peer> &peer) { return peer ? peer->pid : 0; }

} // namespace

TEST_CASE("the other end of a TCP connection") {
	const FixtureTree tree;
	processes(tree);
	tree.descriptor(10, 3, "socket:[300]");
	tree.descriptor(20, 8, "socket:[400]");
	tree.file("10/net/tcp", "header\n" + line("0100007F:C958", "0100007F:1538", "01", 300) + "garbage \xff\n");
	SECTION("in the same table") {
		tree.file("10/net/tcp",
		          line("0100007F:C958", "0100007F:1538", "01", 300) + line("0100007F:1538", "0100007F:C958", "01", 400));
	}
	SECTION("on an IPv6 socket") {
		tree.file("10/net/tcp6",
		          line("0000000000000000FFFF00000100007F:1538", "0000000000000000FFFF00000100007F:C958", "01", 400));
	}
	PeerFinder peers = finder(tree);
	const auto peer = peers.find(10, connection(client_end, server_end));
	REQUIRE(peer);
	CHECK(peer->pid == 20);
	CHECK(peer->comm == "process20");
	CHECK(pid_of(peers.find(10, connection(client_end, server_end))) == 20); // remembered
	// The remembered answer is checked again: the descriptor went to another process.
	std::filesystem::remove(tree.path("20/fd/8"));
	tree.descriptor(21, 8, "socket:[400]");
	CHECK(pid_of(peers.find(10, connection(client_end, server_end))) == 21);
}

TEST_CASE("a connection that nobody has accepted yet belongs to the listener") {
	const FixtureTree tree;
	processes(tree);
	tree.descriptor(20, 8, "socket:[400]");
	tree.descriptor(21, 8, "socket:[400]"); // a worker of 20
	tree.file("10/net/tcp", line("00000000:1538", "00000000:0000", "0A", 400) + line("0100007F:1538", "0100007F:C958", "01", 0));
	CHECK(pid_of(finder(tree).find(10, connection(client_end, server_end))) == 20);
	// ... but not when the other end was there and is closing.
	tree.file("10/net/tcp", line("00000000:1538", "00000000:0000", "0A", 400) + line("0100007F:1538", "0100007F:C958", "05", 0));
	CHECK_FALSE(finder(tree).find(10, connection(client_end, server_end)));
}

TEST_CASE("a connection that is not answered belongs to the listener of a local address only") {
	const FixtureTree tree;
	processes(tree);
	tree.descriptor(20, 8, "socket:[400]");
	tree.descriptor(21, 8, "socket:[500]");
	tree.file("10/net/tcp", line("00000000:1538", "00000000:0000", "0A", 400));
	tree.file("10/net/fib_trie",
	          "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 192.0.2.0\n        /24 link UNICAST\n     |-- 192.0.2.2\n"
	          "        /32 host LOCAL\n");
	CHECK(pid_of(finder(tree).find(10, connection(client_end, server_end, 2))) == 20);
	CHECK(pid_of(finder(tree).find(10, connection("192.0.2.2:51544", "192.0.2.2:5432", 2))) == 20);
	CHECK_FALSE(finder(tree).find(10, connection("192.0.2.2:51544", "192.0.2.9:5432", 2)));
	CHECK_FALSE(finder(tree).find(10, connection("192.0.2.2:51544", "192.0.2.0:5432", 2)));
	CHECK_FALSE(finder(tree).find(10, connection(client_end, server_end, 1))); // established: would be in the table
	// A listener on the very address goes before one on any.
	tree.file("10/net/tcp",
	          line("00000000:1538", "00000000:0000", "0A", 400) + line("0100007F:1538", "00000000:0000", "0A", 500));
	CHECK(pid_of(finder(tree).find(10, connection(client_end, server_end, 2))) == 21);
	// Two that would do as well: neither is named.
	tree.file("10/net/tcp",
	          line("00000000:1538", "00000000:0000", "0A", 400) + line("00000000:1538", "00000000:0000", "0A", 500));
	CHECK_FALSE(finder(tree).find(10, connection(client_end, server_end, 2)));
}

TEST_CASE("the other end in another network namespace") {
	const FixtureTree tree;
	processes(tree);
	tree.file("30/comm", "db\n");
	tree.link("30/ns/net", "net:[2]");
	tree.descriptor(30, 5, "socket:[700]");
	tree.descriptor(30, 6, "socket:[800]");
	tree.file("10/net/tcp", line("020011AC:C958", "030011AC:1538", "01", 300));
	tree.file("30/net/tcp",
	          line("00000000:1538", "00000000:0000", "0A", 800) + line("030011AC:1538", "020011AC:C958", "01", 700));
	CHECK(pid_of(finder(tree).find(10, connection("172.17.0.2:51544", "172.17.0.3:5432"))) == 30);
	CHECK_FALSE(finder(tree).find(10, connection("172.17.0.2:51545", "172.17.0.3:5432", 2))); // not an address of that one
	tree.file("30/net/fib_trie", "|-- 172.17.0.3\n /32 host LOCAL\n");
	CHECK(pid_of(finder(tree).find(10, connection("172.17.0.2:51545", "172.17.0.3:5432", 2))) == 30);
	CHECK_FALSE(finder(tree).find(10, connection("172.17.0.2:51545", "172.17.0.3:5433", 2)));
	// Loopback never leaves its namespace.
	tree.file("30/net/tcp", line("0100007F:1538", "0100007F:C958", "01", 700));
	CHECK_FALSE(finder(tree).find(10, connection(client_end, server_end)));
}

TEST_CASE("unix sockets by inode, credentials, path") {
	const FixtureTree tree;
	processes(tree);
	tree.descriptor(21, 4, "socket:[400]");
	tree.descriptor(20, 4, "socket:[500]");
	tree.file("10/net/unix", "0: 2 0 00010000 0001 01 500 /run/db\n");
	DescriptorSnapshot snapshot;
	snapshot.kind = DescriptorKind::socket;
	snapshot.family = AF_UNIX;
	snapshot.type = SOCK_STREAM;
	snapshot.inode = 300;
	CHECK_FALSE(finder(tree).find(10, snapshot));
	snapshot.unix_path = "/run/db";
	CHECK(pid_of(finder(tree).find(10, snapshot)) == 20);
	tree.file("10/net/unix", "0: 2 0 00010000 0001 01 500 /run/db\n0: 3 0 00000000 0001 03 300 /run/db\n");
	CHECK_FALSE(finder(tree).find(10, snapshot)); // an accepted socket bears the listener's name itself
	tree.file("10/net/unix", "0: 2 0 00010000 0001 01 500 /run/db\n");
	snapshot.unix_peer_pid = 21;
	CHECK(pid_of(finder(tree).find(10, snapshot)) == 21);
	snapshot.unix_peer_pid = 99; // gone
	CHECK(pid_of(finder(tree).find(10, snapshot)) == 20);
	snapshot.unix_peer_pid = 20; // who listened, not who has the connection
	snapshot.unix_peer_inode = 400;
	CHECK(pid_of(finder(tree).find(10, snapshot)) == 21);
	snapshot.unix_peer_inode = 12345; // of a process that we may not read
	CHECK(pid_of(finder(tree).find(10, snapshot)) == 20);
	snapshot.unix_peer_pid = 10; // the target made the pair itself: says nothing
	CHECK_FALSE(finder(tree).find(10, snapshot));
}

TEST_CASE("pipes by direction") {
	const FixtureTree tree;
	processes(tree);
	tree.descriptor(10, 0, "pipe:[500]", "00");
	tree.descriptor(20, 0, "pipe:[500]", "00"); // another reader
	tree.descriptor(20, 5, "/tmp/pipe:[500]", "01");
	tree.descriptor(21, 1, "pipe:[500]", "0100001");
	DescriptorSnapshot reading;
	reading.kind = DescriptorKind::pipe;
	reading.inode = 500;
	CHECK(pid_of(finder(tree).find(10, reading)) == 21);
	std::filesystem::remove(tree.path("21/fd/1"));
	CHECK_FALSE(finder(tree).find(10, reading));
	tree.descriptor(10, 7, "pipe:[500]", "01"); // the target alone has both ends
	CHECK(pid_of(finder(tree).find(10, reading)) == 10);
	DescriptorSnapshot writing = reading;
	writing.writable_end = true;
	CHECK(pid_of(finder(tree).find(10, writing)) == 20);
	reading.inode = 0;
	CHECK_FALSE(finder(tree).find(10, reading));
}

TEST_CASE("a search ends with its budget, and a miss is remembered for a while") {
	const FixtureTree tree;
	processes(tree);
	tree.descriptor(21, 1, "pipe:[500]", "01");
	DescriptorSnapshot reading;
	reading.kind = DescriptorKind::pipe;
	reading.inode = 500;
	CHECK_FALSE(finder(tree, {.budget = 0ns}).find(10, reading));
	std::filesystem::remove(tree.path("21/fd/1"));
	PeerFinder patient = finder(tree, {.miss_lifetime = 1h});
	PeerFinder forgetful = finder(tree, {.remembered = 1, .miss_lifetime = 0ns});
	CHECK_FALSE(patient.find(10, reading));
	CHECK_FALSE(forgetful.find(10, reading));
	tree.descriptor(20, 1, "pipe:[500]", "01");
	CHECK_FALSE(patient.find(10, reading));
	CHECK(pid_of(forgetful.find(10, reading)) == 20);
}

TEST_CASE("snapshots that cannot have a peer") {
	const FixtureTree tree;
	processes(tree);
	PeerFinder peers = finder(tree);
	CHECK_FALSE(peers.find(10, DescriptorSnapshot{}));
	CHECK_FALSE(peers.find(10, connection("", "")));
	CHECK_FALSE(peers.find(10, connection("0.0.0.0:80", "0.0.0.0:0", 10)));
	CHECK_FALSE(peers.find(10, connection("rubbish", "127.0.0.1:99999")));
	CHECK_FALSE(finder(tree).find(0x7fffffff, connection(client_end, server_end)));
	CHECK_FALSE(PeerFinder(ProcFs("/nonexistent")).find(10, connection(client_end, server_end)));
}
