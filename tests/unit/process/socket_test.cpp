// SPDX-License-Identifier: Apache-2.0
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "catch.h"
#include "process/resource_of.h"
#include "process/socket_address.h"
#include "process/socket_table.h"

using namespace loopsnoop;
using namespace loopsnoop::process;

namespace {

std::optional<std::string> rewritten(std::string_view text) {
	const auto address = parse_address(text);
	return address ? std::optional(address->text()) : std::nullopt;
}

DescriptorSnapshot tcp_snapshot() {
	DescriptorSnapshot snapshot;
	snapshot.fd = 9;
	snapshot.kind = DescriptorKind::socket;
	snapshot.family = AF_INET;
	snapshot.type = SOCK_STREAM;
	snapshot.protocol = IPPROTO_TCP;
	snapshot.state = 1;
	snapshot.local = "127.0.0.1:51544";
	snapshot.remote = "127.0.0.1:5432";
	return snapshot;
}

} // namespace

TEST_CASE("addresses as text") {
	CHECK(rewritten("127.0.0.1:5432") == "127.0.0.1:5432");
	CHECK(rewritten("[::1]:5432") == "[::1]:5432");
	CHECK(rewritten("[0:0::1]:1") == "[::1]:1");
	CHECK(rewritten("[::ffff:10.0.0.7]:80") == "10.0.0.7:80");
	for (const std::string_view broken : {"", ":", "1:2", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80",
	                                      "[127.0.0.1]:80", "[::1]", "[]:1", "[:1", "127.0.0.1\0:1", "999.0.0.1:1"}) {
		CHECK_FALSE(parse_address(broken));
	}
}

TEST_CASE("addresses of the kernel's tables") {
	CHECK(parse_hex_address("0100007F:1538")->text() == "127.0.0.1:5432");
	CHECK(parse_hex_address("00000000000000000000000001000000:1538")->text() == "[::1]:5432");
	CHECK(parse_hex_address("0000000000000000FFFF00000100007F:1538")->text() == "127.0.0.1:5432");
	CHECK(*parse_hex_address("0000000000000000FFFF00000100007F:1538") == *parse_hex_address("0100007F:1538"));
	CHECK(parse_hex_address("00000000:0000")->is_any());
	CHECK(parse_hex_address("00000000000000000000000000000000:0000")->is_any());
	CHECK_FALSE(parse_hex_address("0100007F:0000")->is_any());
	CHECK(parse_hex_address("0200017F:0000")->is_loopback());
	for (const std::string_view broken : {"", "0100007F", "0100007F:", ":1538", "0100007:1538", "0100007G:1538", "0100007F:15380",
	                                      "0100007F-1538", "0000000000000000FFFF0000010000:1538"}) {
		CHECK_FALSE(parse_hex_address(broken));
	}
}

TEST_CASE("lines of net/tcp") {
	const auto entry = parse_inet_line("   0: 0100007F:1538 0100007F:C958 01 00000000:00000000 02:0000 00000000   105        0 "
	                                   "424242 1 00000000b034ef99 20 4 30");
	REQUIRE(entry);
	CHECK(entry->local.text() == "127.0.0.1:5432");
	CHECK(entry->remote.text() == "127.0.0.1:51544");
	CHECK(entry->state == state_established);
	CHECK(entry->inode == 424242);
	for (const std::string_view broken :
	     {"", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
	      "   0: 0100007F:1538 0100007F:C958 01", "   0: 0100007F:1538 0100007F:C958 01 0:0 0:0 0 0 0",
	      "   0: 0100007F:1538 0100007F:C958 01 0:0 0:0 0 0 0 99999999999999999999999",
	      "   0: 0100007F:1538 0100007F:C958 FFF 0:0 0:0 0 0 0 1", "   0: zz zz 01 0:0 0:0 0 0 0 1"}) {
		CHECK_FALSE(parse_inet_line(broken));
	}
}

TEST_CASE("lines of net/unix") {
	const auto listening = parse_unix_line("000000008158ce30: 00000002 00000000 00010000 0001 01   628 /run/my app.sock");
	REQUIRE(listening);
	CHECK(listening->listening);
	CHECK(listening->state == state_listen);
	CHECK(listening->inode == 628);
	CHECK(listening->path == "/run/my app.sock");
	const auto connected = parse_unix_line("000000008158ce30: 00000003 00000000 00000000 0005 03 31628");
	REQUIRE(connected);
	CHECK(connected->state == state_established);
	CHECK(connected->type == SOCK_SEQPACKET);
	CHECK(connected->path.empty());
	CHECK(parse_unix_line("0: 00000003 00000000 00000000 0001 03 0 @/tmp/.X11")->path == "@/tmp/.X11");
	for (const std::string_view broken :
	     {"", "Num       RefCount Protocol Flags    Type St Inode Path", "0: 3 0 0 1", "0: 3 0 0 1 3 x", "\xff\xff"}) {
		CHECK_FALSE(parse_unix_line(broken));
	}
}

TEST_CASE("names of protocols and states") {
	CHECK(protocol_name(AF_INET, SOCK_STREAM, IPPROTO_TCP) == "tcp");
	CHECK(protocol_name(AF_INET6, SOCK_STREAM, IPPROTO_TCP) == "tcp6");
	CHECK(protocol_name(AF_INET, SOCK_DGRAM, IPPROTO_UDP) == "udp");
	CHECK(protocol_name(AF_INET6, SOCK_DGRAM, 0) == "udp6");
	CHECK(protocol_name(AF_INET, SOCK_STREAM, 0) == "tcp");
	CHECK(protocol_name(AF_INET, SOCK_RAW, 1) == "raw");
	CHECK(protocol_name(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6) == "icmpv6");
	CHECK(protocol_name(AF_INET6, SOCK_STREAM, 262) == "mptcp6");
	CHECK(protocol_name(AF_UNIX, SOCK_STREAM, 0) == "unix");
	CHECK(protocol_name(AF_NETLINK, SOCK_RAW, 0) == "netlink");
	CHECK(protocol_name(999, 1, 0) == "family_999");
	CHECK(protocol_name(0, 0, 0) == "unknown");
	CHECK(socket_state_name(1) == "ESTABLISHED");
	CHECK(socket_state_name(2) == "SYN_SENT");
	CHECK(socket_state_name(10) == "LISTEN");
	CHECK(socket_state_name(12) == "NEW_SYN_RECV");
	CHECK_FALSE(socket_state_name(0));
	CHECK_FALSE(socket_state_name(13));
	CHECK_FALSE(socket_state_name(255));
}

TEST_CASE("a socket as a resource") {
	DescriptorSnapshot snapshot = tcp_snapshot();
	snapshot.remote = "[::ffff:127.0.0.1]:5432";
	const Resource resource = to_resource(snapshot);
	const auto &socket = std::get<SocketResource>(resource.is);
	CHECK(socket.fd == 9);
	CHECK(socket.protocol == "tcp");
	CHECK(socket.local == "127.0.0.1:51544");
	CHECK(socket.remote == "127.0.0.1:5432");
	CHECK(socket.state == "ESTABLISHED");
	CHECK_FALSE(socket.path);
	CHECK_FALSE(socket.peer);

	snapshot.state = 10;
	snapshot.remote = "0.0.0.0:0";
	snapshot.fd = -1;
	const Resource listening = to_resource(snapshot);
	CHECK(std::get<SocketResource>(listening.is).state == "LISTEN");
	CHECK_FALSE(std::get<SocketResource>(listening.is).remote);
	CHECK_FALSE(std::get<SocketResource>(listening.is).fd);
}

TEST_CASE("files, pipes and anonymous inodes as resources") {
	DescriptorSnapshot snapshot;
	snapshot.fd = 3;
	snapshot.kind = DescriptorKind::file;
	snapshot.path = "/var/log/x (deleted)";
	CHECK(std::get<FileResource>(to_resource(snapshot).is).path == "/var/log/x (deleted)");
	snapshot.kind = DescriptorKind::anonymous;
	snapshot.path = "anon_inode:[eventfd]";
	CHECK(std::get<FileResource>(to_resource(snapshot).is).path == "anon_inode:[eventfd]");
	snapshot.kind = DescriptorKind::pipe;
	snapshot.path = "/run/x.fifo";
	CHECK(std::get<PipeResource>(to_resource(snapshot).is).path == "/run/x.fifo");
	snapshot.path = "pipe:[4711]";
	CHECK_FALSE(std::get<PipeResource>(to_resource(snapshot).is).path);
	snapshot.kind = DescriptorKind::unknown;
	snapshot.path.reset();
	CHECK_FALSE(std::get<FileResource>(to_resource(snapshot).is).path);
}

TEST_CASE("connections that wait to be accepted are a listening socket's receive queue") {
	const auto entry = parse_inet_line("   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        "
	                                   "0 4711 1 0000000000000000 100 0 0 10 0");
	REQUIRE(entry.has_value());
	CHECK(entry->state == state_listen);
	CHECK(entry->inode == 4711);
	CHECK(entry->receive_queue == 3);
}
