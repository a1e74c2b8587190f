// SPDX-License-Identifier: Apache-2.0
#include "analysis/circumstances.h"

#include "analysis/stalls.h"
#include "catch.h"
#include "summary/circumstances.h"
#include "summary/judged.h"
#include "summary/peer.h"
#include "summary/stall_summary.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;
using namespace loopsnoop::summary;
using namespace loopsnoop::analysis_test;

namespace {

Stall connecting() {
	Stall stall;
	stall.pid = stall.tid = 5;
	stall.duration_ns = 2'000'000'000;
	stall.ongoing = true;
	stall.no_loop_yet = true;
	stall.cause = Cause::socket;
	part_of(stall.breakdown, Cause::socket) = {stall.duration_ns, 1};
	stall.waits.push_back(wait(Cause::socket, "connect", 0, stall.duration_ns, {application(12)}));
	stall.waits.back().ongoing = true;
	SocketResource socket;
	socket.protocol = "tcp";
	socket.remote = "10.0.0.9:80";
	socket.state = "SYN_SENT";
	socket.peer = Peer{9, "config"};
	stall.waits.back().resource = Resource{socket};
	return stall;
}

ThreadView waiting_on(SocketResource socket) {
	ThreadView view;
	view.tid = 9;
	view.cause = Cause::socket;
	view.syscall = "recvfrom";
	view.resource = Resource{std::move(socket)};
	view.stack.emplace().python = {application(33)};
	return view;
}

} // namespace

namespace {

// Of a server that was a second old when it was first seen.
ServingSigns signs(std::vector<Listener> listening = {}) {
	ServingSigns found;
	found.listening = std::move(listening);
	found.will_serve = true;
	found.age_ns = 1'000'000'000;
	return found;
}

} // namespace

TEST_CASE("a start-up is a process without a loop that listens on nothing, or accepts nothing") {
	Stall stall = connecting();
	CHECK(is_startup(stall, signs()));
	CHECK(is_startup(stall, signs({{"127.0.0.1:80", 1}})));
	CHECK_FALSE(is_startup(stall, signs({{"127.0.0.1:80", 0}})));
	CHECK_FALSE(is_startup(stall, signs({{"/run/x.sock", std::nullopt}})));
	CHECK_FALSE(is_startup(stall, std::nullopt));
}

TEST_CASE("who has accepted a connection, or has an event queue with sockets, is past its start") {
	const Stall stall = connecting();
	ServingSigns one = signs({{"127.0.0.1:80", 1}});
	one.accepted = true;
	CHECK(has_served(one));
	CHECK_FALSE(is_startup(stall, one));
	one.accepted = false;
	one.watched = true;
	CHECK(has_served(one));
	CHECK_FALSE(is_startup(stall, one));
	one.from_beginning = true; // then it is known that it never waited on it
	CHECK_FALSE(has_served(one));
	CHECK(is_startup(stall, one));
}

TEST_CASE("nothing is claimed of a job, of an old process, or of one that ends") {
	Stall stall = connecting();
	ServingSigns one = signs();
	one.will_serve = false;
	CHECK_FALSE(is_startup(stall, one));
	one = signs();
	one.age_ns = 3600'000'000'000;
	CHECK_FALSE(is_startup(stall, one));
	one.from_beginning = true;
	CHECK(is_startup(stall, one));
	stall.waits.back().stack->python.push_back(frame("_shutdown", "/usr/lib/python3.11/threading.py", 1567));
	CHECK_FALSE(is_startup(stall, one));
	judge_and_summarize(stall);
	CHECK(stall.summary.starts_with("blocked 2.00 s (still): while the process ends: connecting to "));
	stall = connecting();
	stall.waits.back().stack->python.push_back(frame("_call_with_frames_removed", "<frozen importlib._bootstrap>", 241));
	one = signs();
	one.age_ns = 3600'000'000'000;
	one.will_serve = false;
	CHECK(is_startup(stall, one)); // its stack says so
}

TEST_CASE("with a loop it is one in the middle of an import, and only while nothing listens") {
	Stall stall = connecting();
	stall.no_loop_yet = false;
	CHECK_FALSE(is_startup(stall, signs()));
	stall.waits.back().stack->python.push_back(frame("_call_with_frames_removed", "<frozen importlib._bootstrap>", 241));
	CHECK(is_startup(stall, signs()));
	CHECK_FALSE(is_startup(stall, signs({{"127.0.0.1:80", 1}})));
}

TEST_CASE("a start-up in words") {
	Stall stall = connecting();
	stall.startup = Startup{{}, 2'400'000'000};
	judge_and_summarize(stall);
	CHECK(stall.summary == "blocked 2.00 s (still): startup: no event loop seen yet, nothing listening 2.40 s after the process "
	                       "began: connecting to 10.0.0.9:80 of config (pid 9), which does not answer (SYN_SENT) in handler "
	                       "(/srv/app/main.py:12)");
	stall.startup->listening = {{"127.0.0.1:8001", 1}};
	CHECK(format_startup(stall) ==
	      "startup: no event loop seen yet, listening on 127.0.0.1:8001, where 1 connection is not accepted, "
	      "2.40 s after the process began: ");
	stall.startup.reset();
	CHECK(format_startup(stall).empty());
}

TEST_CASE("the process at the other end that waits for us") {
	Stall stall = connecting();
	stall.no_loop_yet = false;
	SocketResource back;
	back.protocol = "tcp";
	back.remote = "127.0.0.1:8001";
	stall.peer = PeerSnapshot{9, "config", true, waiting_on(back)};
	CHECK(format_peer_activity(stall) == ", which itself waits for an answer from this process at main.py:33");
	stall.peer->waits_for_us = false;
	CHECK(format_peer_activity(stall) == ", and is waiting for an answer from 127.0.0.1:8001 at main.py:33");
	stall.peer->thread.state = ThreadView::State::running;
	CHECK(format_peer_activity(stall).empty());
	stall.peer->thread.state = ThreadView::State::sleeping;
	stall.peer->thread.cause = Cause::poll; // idle, as far as can be seen
	CHECK(format_peer_activity(stall).empty());
	stall.waits.back().ongoing = false;
	CHECK(last_peer(stall) == nullptr);
}

TEST_CASE("the peer is that of the last link of a chain of locks") {
	Stall stall = connecting();
	stall.cause = Cause::futex;
	stall.waits.back().cause = Cause::futex;
	stall.waits.back().resource =
	    Resource{FutexResource{1, LockKind::python_lock, Holder{7, "worker", false}, "threading.RLock"}};
	ThreadView worker;
	worker.tid = 7;
	worker.syscall = "write";
	worker.cause = Cause::pipe;
	worker.resource = Resource{PipeResource{4, "/run/log", Peer{11, "shipper"}}};
	stall.threads = {worker};
	REQUIRE(last_peer(stall) != nullptr);
	CHECK(last_peer(stall)->pid == 11);
	stall.threads.reset();
	CHECK(last_peer(stall) == nullptr);
}
