// SPDX-License-Identifier: Apache-2.0
#include "inspect/seen_resources.h"

#include <array>

#include "catch.h"
#include "inspect/last_holders.h"

using namespace loopsnoop;
using namespace loopsnoop::inspect;

namespace {

constexpr std::uint64_t lock_at = 0x7f10, begin_ns = 1000, duration_ns = 500;

FutexResource lock_of(std::optional<Holder> holder) {
	return {lock_at, LockKind::python_lock, std::move(holder), "threading.Lock"};
}

Stall stall_on(Resource resource) {
	Stall stall;
	stall.pid = 7;
	Wait wait;
	wait.start_ns = begin_ns;
	wait.duration_ns = duration_ns;
	wait.resource = std::move(resource);
	stall.waits.push_back(std::move(wait));
	return stall;
}

const std::optional<Holder> &holder_in(const Stall &stall) {
	return std::get<FutexResource>(stall.waits.front().resource->is).holder;
}

} // namespace

TEST_CASE("what was seen during a wait completes its record, and no other") {
	SeenResources seen;
	seen.add(3, {begin_ns + 100, {lock_of(Holder{12, "worker", false})}});
	seen.add(3, {begin_ns + 200, {lock_of(std::nullopt)}});
	Stall stall = stall_on({lock_of(std::nullopt)});
	SECTION("one that names a holder goes first") {
		seen.recall(3, stall);
		REQUIRE(holder_in(stall));
		CHECK(holder_in(stall)->tid == 12);
	}
	SECTION("another iteration") {
		seen.recall(4, stall);
		CHECK_FALSE(holder_in(stall));
	}
	SECTION("another wait") {
		stall.waits.front().start_ns = begin_ns + 300;
		seen.recall(3, stall);
		CHECK_FALSE(holder_in(stall));
	}
	SECTION("another lock") {
		std::get<FutexResource>(stall.waits.front().resource->is).address = lock_at + 8;
		seen.recall(3, stall);
		CHECK_FALSE(holder_in(stall));
	}
}

TEST_CASE("peers and file-lock holders that are gone when the wait is over") {
	SeenResources seen;
	PipeResource pipe{5, std::nullopt, Peer{80, "sleep"}};
	FileResource file{6, "/srv/lock", Peer{81, "flock"}};
	seen.add(1, {begin_ns, {pipe}});
	seen.add(1, {begin_ns, {file}});
	pipe.peer.reset();
	file.holder.reset();
	Stall one = stall_on({pipe}), other = stall_on({file});
	seen.recall(1, one);
	seen.recall(1, other);
	CHECK(std::get<PipeResource>(one.waits.front().resource->is).peer->pid == 80);
	CHECK(std::get<FileResource>(other.waits.front().resource->is).holder->pid == 81);
	Stall reused = stall_on({PipeResource{9, std::nullopt, std::nullopt}});
	seen.recall(1, reused);
	CHECK_FALSE(std::get<PipeResource>(reused.waits.front().resource->is).peer);
}

TEST_CASE("who had a lock last is taken for its holder, unless it is gone or wants it, too") {
	LastHolders last;
	last.learn(stall_on({lock_of(Holder{12, "worker", true})}));
	Stall stall = stall_on({lock_of(std::nullopt)});
	stall.waits.front().ongoing = true;
	ThreadView worker;
	worker.tid = 12;
	worker.thread = "worker";
	SECTION("it lives") {
		CHECK(last.infer(stall, std::array{worker}));
		REQUIRE(holder_in(stall));
		CHECK(holder_in(stall)->inferred);
		CHECK(holder_in(stall)->tid == 12);
	}
	SECTION("it is gone") { CHECK_FALSE(last.infer(stall, {})); }
	SECTION("it waits for the lock itself") {
		worker.resource = Resource{lock_of(std::nullopt)};
		CHECK_FALSE(last.infer(stall, std::array{worker}));
	}
	SECTION("the process is another") {
		last.forget(7);
		CHECK_FALSE(last.infer(stall, std::array{worker}));
	}
}

TEST_CASE("a sleep that was seen to be for a database's lock is one in its record, any other stays one") {
	SeenResources seen;
	seen.add(3, {begin_ns + 100, {FileResource{std::nullopt, "/srv/shop.db", Peer{12, "worker"}}}});
	Stall stall = stall_on({TimerResource{25'000'000}});
	Wait &wait = stall.waits.front();
	wait.cause = Cause::sleep;
	wait.stack = Stack{};
	SECTION("SQLite's") {
		wait.stack->native.emplace_back().module = "/usr/lib/libsqlite3.so.0";
		seen.recall(3, stall);
		const auto *file = std::get_if<FileResource>(&wait.resource->is);
		REQUIRE(file != nullptr);
		CHECK(file->path == "/srv/shop.db");
		REQUIRE(file->holder);
		CHECK(file->holder->pid == 12);
	}
	SECTION("the application's") {
		wait.stack->native.emplace_back().module = "/usr/bin/python3.11";
		seen.recall(3, stall);
		CHECK(std::holds_alternative<TimerResource>(wait.resource->is));
	}
}
