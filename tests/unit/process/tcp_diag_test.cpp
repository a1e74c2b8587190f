// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "catch.h"
#include "process/connections.h"
#include "process/socket_table.h"
#include "process/tcp_diag.h"
#include "process/unix_diag.h"

using namespace loopsnoop;
using namespace loopsnoop::process;

namespace {

// What Linux 6.18 answered of a server's end on 127.0.0.1:44713: its client at port 56098 sent 27 bytes 1256 ms before, of which
// it had read 10, and nothing was sent back. An inet_diag_msg, then INET_DIAG_SHUTDOWN, 15, 21 and INET_DIAG_INFO.
constexpr std::string_view one_request =
    "02010000aea9db227f0000010000000000000000000000007f0000010000000000000000000000000000000001000000000000000000000011000000"
    "000000000000000089b60200050008000000000008000f00000000000c001500010000000000000006001600520000001c010200010000000007aa01"
    "203c0300409c000000800000180200000000000000000000000000000000000000000000e804000000000000e8040000e8040000ffff0000cbff0000"
    "1a0000000d000000ffffff7f0a000000cbff00000300000000000000cbff00000000000062ced26208000000ffffffffffffffff0000000000000000"
    "1b000000000000000100000003000000000000001a00000001000000000000000000000000000000000000000000000000000000000000000000000000"
    "0000000100000000000000000000000000000000000000000000000000000000000000000000000000000000010000000100000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000000000000";

std::vector<std::byte> bytes_of(std::string_view hex) {
	std::vector<std::byte> bytes;
	for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
		bytes.push_back(static_cast<std::byte>(std::stoul(std::string(hex.substr(at, 2)), nullptr, 16)));
	}
	return bytes;
}

constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t second = 1000 * ms;
constexpr std::uint64_t now = 1000 * second;

TcpSocket socket_at(std::uint8_t state, std::string_view local, std::string_view remote, std::uint64_t inode) {
	TcpSocket socket;
	socket.state = state;
	socket.local = *parse_address(local);
	socket.remote = *parse_address(remote);
	socket.inode = inode;
	socket.cookie = inode;
	return socket;
}

TcpSocket listener(std::uint64_t waiting = 0) {
	TcpSocket socket = socket_at(state_listen, "0.0.0.0:8000", "0.0.0.0:0", 1);
	socket.unread = waiting;
	return socket;
}

TcpSocket customer(std::uint64_t inode, TcpTraffic traffic) {
	TcpSocket socket = socket_at(state_established, "10.0.0.1:8000", "10.0.0.9:4000", inode);
	socket.traffic = traffic;
	return socket;
}

// sent, received, segments sent, received, sent ago, received ago
TcpTraffic asked_first(std::uint64_t ago_ns) { return {0, 300, 0, 1, ago_ns, ago_ns}; }
TcpTraffic asked_after_answer(std::uint64_t ago_ns) { return {5000, 700, 4, 2, ago_ns + second, ago_ns}; }
TcpTraffic answered(std::uint64_t ago_ns) { return {5000, 300, 4, 1, ago_ns, ago_ns + ms}; }

ConnectionsSnapshot sorted(const std::vector<TcpSocket> &sockets, ConnectionMemory &memory) {
	return sort_connections(sockets, {1, 10, 11, 12}, now, memory);
}
ConnectionsSnapshot sorted(const std::vector<TcpSocket> &sockets) {
	ConnectionMemory memory;
	return sorted(sockets, memory);
}

} // namespace

TEST_CASE("a kernel's answer about a TCP socket") {
	const auto bytes = bytes_of(one_request);
	const auto socket = parse_tcp_message(bytes);
	REQUIRE(socket);
	CHECK(socket->local.text() == "127.0.0.1:44713");
	CHECK(socket->remote.text() == "127.0.0.1:56098");
	CHECK(socket->state == state_established);
	CHECK(socket->inode == 177801);
	CHECK(socket->cookie == 1);
	CHECK(socket->unread == 17);
	CHECK_FALSE(socket->closing_ns);
	REQUIRE(socket->traffic);
	CHECK(socket->traffic->bytes_received == 27);
	CHECK(socket->traffic->bytes_sent == 0);
	CHECK(socket->traffic->segments_received == 1);
	CHECK(socket->traffic->segments_sent == 0);
	CHECK(socket->traffic->received_ago_ns == 1256 * ms);
	CHECK(socket->traffic->sent_ago_ns == 1256 * ms);
}

TEST_CASE("answers that are cut short or broken") {
	auto bytes = bytes_of(one_request);
	CHECK_FALSE(parse_tcp_message(std::span(bytes).first(71)));
	CHECK_FALSE(parse_tcp_message({}));
	const auto bare = parse_tcp_message(std::span(bytes).first(72));
	REQUIRE(bare);
	CHECK_FALSE(bare->traffic);
	// An older kernel's shorter tcp_info: what it does not have is 0.
	const auto older = parse_tcp_message(std::span(bytes).first(108));
	REQUIRE(older);
	CHECK_FALSE(older->traffic); // its length says that there is more: not taken
	bytes.at(72) = std::byte{3}; // an attribute shorter than its own head
	CHECK_FALSE(parse_tcp_message(bytes)->traffic);
	bytes.at(0) = std::byte{1}; // AF_UNIX
	CHECK_FALSE(parse_tcp_message(bytes));
}

TEST_CASE("a customer who asked and got nothing waits") {
	const auto found = sorted({listener(), customer(10, asked_first(3 * second))});
	REQUIRE(found.waiting.size() == 1);
	const WaitingClient &client = found.waiting.front();
	CHECK(client.waited_ns == 3 * second);
	CHECK(client.remote == "10.0.0.9:4000");
	CHECK(client.local == "10.0.0.1:8000");
	CHECK(client.asked == WaitingClient::Asked::first);
	CHECK(client.accepted);
	CHECK_FALSE(client.one_way);
	CHECK(found.inbound == 1);
	CHECK_FALSE(found.answered_ago_ns);
}

TEST_CASE("keep-alive after its answer, a connection without a word and another process's customer do not wait") {
	const auto found = sorted({listener(), customer(10, answered(60 * second)), customer(11, {0, 0, 0, 0, second, second}),
	                           customer(99, asked_first(9 * second))});
	CHECK(found.waiting.empty());
	CHECK(found.inbound == 2);
	CHECK(found.answered_ago_ns == 60 * second);
	CHECK(found.gave_up == 0);
}

TEST_CASE("an answer within the same tick as its question is one") {
	CHECK(sorted({listener(), customer(10, {5000, 300, 4, 1, second, second})}).waiting.empty());
}

TEST_CASE("sent last after an answer: a question only where one was seen to come") {
	ConnectionMemory memory;
	const auto first = sorted({listener(), customer(10, asked_after_answer(2 * second))}, memory);
	REQUIRE(first.waiting.size() == 1);
	CHECK(first.waiting.front().asked == WaitingClient::Asked::last);

	ConnectionMemory watched;
	static_cast<void>(sorted({listener(), customer(10, answered(9 * second))}, watched));
	const auto second_time = sorted({listener(), customer(10, asked_after_answer(2 * second))}, watched);
	REQUIRE(second_time.waiting.size() == 1);
	CHECK(second_time.waiting.front().asked == WaitingClient::Asked::watched);
	const auto third = sorted({listener(), customer(10, asked_after_answer(4 * second))}, watched);
	CHECK(third.waiting.front().asked == WaitingClient::Asked::watched); // and it stays one

	ConnectionMemory http2;
	static_cast<void>(sorted({listener(), customer(10, {5000, 691, 4, 2, second, second + ms})}, http2));
	const auto acknowledged = sorted({listener(), customer(10, asked_after_answer(2 * second))}, http2); // 9 bytes more
	CHECK(acknowledged.waiting.front().asked == WaitingClient::Asked::last);
}

TEST_CASE("unread bytes that are enough for a request are one") {
	auto socket = customer(10, asked_after_answer(2 * second));
	socket.unread = 300;
	const auto found = sorted({listener(), socket});
	CHECK(found.waiting.front().asked == WaitingClient::Asked::watched);
	CHECK(found.unread == 1);
}

TEST_CASE("who sends on and on without an answer does not wait for one; an upload does") {
	const auto lines = sorted({listener(), customer(10, {0, 4000, 0, 40, second, second})});
	CHECK(lines.waiting.front().one_way);
	const auto upload = sorted({listener(), customer(10, {0, 800'000, 0, 600, second, second})});
	CHECK_FALSE(upload.waiting.front().one_way);
}

TEST_CASE("customers who closed their end without a byte have given up") {
	auto gone = customer(10, asked_first(9 * second));
	gone.state = state_close_wait;
	auto silent = customer(11, {0, 1, 0, 0, second, second}); // nothing but its FIN
	silent.state = state_close_wait;
	auto served = customer(12, answered(second));
	served.state = state_close_wait;
	const auto found = sorted({listener(), gone, silent, served});
	CHECK(found.gave_up == 1);
	CHECK(found.waiting.empty());
	CHECK(found.inbound == 0);
}

TEST_CASE("what waits in the accept queue") {
	const auto found = sorted(
	    {listener(2), customer(0, {0, 300, 0, 1, 7 * second, 7 * second}), customer(0, {0, 0, 0, 0, 20 * second, 20 * second})});
	REQUIRE(found.listening.size() == 1);
	CHECK(found.listening.front().waiting == 2U);
	REQUIRE(found.waiting.size() == 2);
	CHECK(found.waiting.front().waited_ns == 20 * second);
	CHECK_FALSE(found.waiting.front().accepted);
	CHECK(found.inbound == 0);
}

TEST_CASE("a closed connection of the last minute was answered then") {
	auto closed = socket_at(state_time_wait, "10.0.0.1:8000", "10.0.0.9:4001", 0);
	closed.closing_ns = 52 * second;
	auto other = socket_at(state_time_wait, "10.0.0.1:9000", "10.0.0.9:4001", 0);
	other.closing_ns = 59 * second;
	CHECK(sorted({listener(), closed, other}).answered_ago_ns == 8 * second);
}

TEST_CASE("upstreams that were asked last") {
	auto silent = socket_at(state_established, "10.0.0.1:51000", "10.0.0.5:5432", 10);
	silent.traffic = TcpTraffic{100, 4000, 2, 3, 9 * second, 10 * second};
	auto answered_one = socket_at(state_established, "10.0.0.1:51001", "10.0.0.5:5432", 11);
	answered_one.traffic = TcpTraffic{100, 4000, 2, 3, 9 * second, 9 * second};
	auto connecting = socket_at(state_syn_sent, "10.0.0.1:51002", "10.0.0.6:80", 12);
	const auto found = sorted({silent, answered_one, connecting});
	REQUIRE(found.silent.size() == 2);
	CHECK(found.silent.front().remote == "10.0.0.5:5432");
	CHECK(found.silent.front().waited_ns == 9 * second);
	CHECK(found.silent.back().connecting);
	CHECK(found.outbound == 3);
	REQUIRE(found.outbound_to.size() == 2);
	CHECK(found.outbound_to.front().remote == "10.0.0.5:5432");
	CHECK(found.outbound_to.front().count == 2);
}

TEST_CASE("customers are counted by their address, whatever their ports") {
	const auto from = [](std::string_view remote, std::uint64_t inode) {
		auto socket = socket_at(state_established, "10.0.0.1:8000", remote, inode);
		socket.traffic = answered(second);
		return socket;
	};
	const auto found = sorted(
	    {listener(), from("10.0.0.9:4001", 10), from("10.0.0.8:4001", 11), from("10.0.0.9:4002", 12), from("[fd00::7]:9", 0)});
	CHECK(found.inbound == 3);
	REQUIRE(found.inbound_from.size() == 2);
	CHECK(found.inbound_from.front().remote == "10.0.0.9");
	CHECK(found.inbound_from.front().count == 2);
	CHECK(found.inbound_from.back().remote == "10.0.0.8");
}

TEST_CASE("of very many remotes those are kept that have most connections") {
	std::vector<TcpSocket> sockets{listener()};
	for (int i = 0; i < 100; i++) {
		for (int each = 0; each <= i; each++) {
			sockets.push_back(customer(10, answered(second)));
			sockets.back().remote = *parse_address("10.0.7." + std::to_string(i) + ":" + std::to_string(1000 + each));
		}
	}
	const auto found = sorted(sockets);
	REQUIRE(found.inbound_from.size() == 16);
	CHECK(found.inbound_from.front().remote == "10.0.7.99");
	CHECK(found.inbound_from.back().remote == "10.0.7.84");
}

TEST_CASE("a connection to another port of this machine that somebody listens on is no upstream when it came from there") {
	// The process took over a connection whose listening socket is its master's.
	auto master = socket_at(state_listen, "0.0.0.0:8000", "0.0.0.0:0", 77);
	const auto found = sorted({master, customer(10, asked_first(second))});
	CHECK(found.outbound == 0);
	CHECK(found.inbound == 1);
	CHECK(found.waiting.size() == 1);
}

TEST_CASE("a process that is connected to itself is its own customer only where it asked itself something") {
	TcpSocket one = socket_at(state_established, "127.0.0.1:8000", "127.0.0.1:4000", 10);
	TcpSocket other = socket_at(state_established, "127.0.0.1:4000", "127.0.0.1:8000", 11);
	one.traffic = TcpTraffic{0, 6, 0, 2, 30 * second, 20 * second}; // a byte at a time, which nobody answers: it wakes a loop
	other.traffic = TcpTraffic{6, 0, 2, 0, 20 * second, 30 * second};
	CHECK(sorted({one, other, listener()}).waiting.empty());
	CHECK(sorted({one, other, listener()}).inbound == 1);
	one.traffic = TcpTraffic{0, 300, 0, 1, 30 * second, 20 * second};
	other.traffic = TcpTraffic{300, 0, 1, 0, 20 * second, 30 * second};
	CHECK(sorted({one, other, listener()}).waiting.size() == 1);
	one.traffic = TcpTraffic{100, 300, 1, 1, 30 * second, 20 * second}; // talked to in both directions before
	CHECK(sorted({one, other, listener()}).waiting.empty());
	other.inode = 99; // another process's
	CHECK(sorted({one, other, listener()}).waiting.size() == 1);
}

TEST_CASE("customers at unix sockets: what is not read, and what is not accepted") {
	const UnixSocket listener{1, state_listen, "/run/app.sock", 0, 2};
	UnixSocket accepted{10, state_established, "/run/app.sock", 77, 200};
	const UnixSocket outgoing{11, state_established, "", 78, 300};
	const UnixSocket to_itself{12, state_established, "/run/app.sock", 13, 5};
	const std::unordered_set<std::uint64_t> own{1, 10, 11, 12, 13};
	ConnectionMemory memory;
	const auto at = [&](std::uint64_t time_ns) {
		ConnectionsSnapshot snapshot;
		snapshot.time_ns = time_ns;
		add_unix_customers(std::vector{listener, accepted, outgoing, to_itself}, own, memory, snapshot);
		return snapshot;
	};
	CHECK(at(now).waiting.front().waited_ns == 0);
	const auto later = at(now + 7 * second);
	REQUIRE(later.waiting.size() == 3);
	CHECK(later.listening.front().waiting == 2U);
	CHECK(std::ranges::count(later.waiting, false, &WaitingClient::accepted) == 2);
	CHECK(std::ranges::all_of(later.waiting, [](const WaitingClient &one) { return one.waited_ns == 7 * second; }));
	accepted.unread = 20; // read, and something came since
	const auto read = at(now + 9 * second);
	CHECK(std::ranges::find(read.waiting, true, &WaitingClient::accepted)->waited_ns == 0);
	accepted.unread = 0;
	CHECK(at(now + 10 * second).waiting.size() == 2);
}
