// SPDX-License-Identifier: Apache-2.0
#include "output/json_arena.h"

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "catch.h"
#include "examples.h"
#include "output/json.h"

using namespace loopsnoop;
using namespace loopsnoop::output;
using namespace loopsnoop::output::examples;

TEST_CASE("an arena's memory is used again once its last piece is gone, and not before") {
	JsonArena arena;
	void *const first = arena.allocate(16, 8);
	void *const second = arena.allocate(16, 8);
	CHECK(second != first);
	arena.deallocate();
	CHECK(arena.allocate(16, 8) != first);
	arena.deallocate();
	arena.deallocate();
	CHECK(arena.allocate(16, 8) == first);
	arena.deallocate();
}

TEST_CASE("an arena grows beyond its first block, and goes back to it") {
	JsonArena arena;
	void *const first = arena.allocate(16, 8);
	constexpr std::size_t large = 1 << 20;
	for (int i = 0; i < 3; i++) {
		std::memset(arena.allocate(large, 16), i, large);
	}
	for (int i = 0; i < 4; i++) {
		arena.deallocate();
	}
	CHECK(arena.allocate(16, 8) == first);
	arena.deallocate();
}

TEST_CASE("lines are the same whatever was written before them, and by whichever thread") {
	Stall large;
	large.waits.emplace_back();
	large.waits.back().stack.emplace();
	constexpr std::size_t many = 5000;
	large.waits.back().stack->python.resize(many, SourceFrame{"handler", "/srv/shop/a/path/that/is/long/enough/orders.py", 7});
	const std::string line = to_json_line(large);
	const std::string other = to_json_line(loop());
	CHECK(line.size() > many * 50);
	std::vector<std::thread> threads;
	std::vector<std::string> lines(4);
	for (std::string &one : lines) {
		threads.emplace_back([&] {
			for (int i = 0; i < 3; i++) {
				one = to_json_line(large) + to_json_line(loop());
			}
		});
	}
	for (std::thread &thread : threads) {
		thread.join();
	}
	for (const std::string &one : lines) {
		CHECK(one == line + other);
	}
}
