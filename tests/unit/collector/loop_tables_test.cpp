// SPDX-License-Identifier: Apache-2.0
// The mapped tables, with a file in the place of the kernel's.
#include "collector/loop_tables.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::collector;

namespace {

constexpr std::size_t slots = 8;

struct Tables {
	UniqueFd loops = file(), configs = file();
	LoopTables tables;

	Tables() {
		const auto mapped = tables.map({loops.get(), configs.get(), -1}, slots, 4096);
		REQUIRE(mapped);
	}
	static UniqueFd file() {
		UniqueFd fd(memfd_create("table", MFD_CLOEXEC));
		REQUIRE(fd.valid());
		REQUIRE(ftruncate(fd.get(), 1 << 20) == 0);
		return fd;
	}
	void put(std::uint32_t slot, const ls_loop &loop) const {
		REQUIRE(pwrite(loops.get(), &loop, sizeof loop, static_cast<off_t>(slot * sizeof loop)) == sizeof loop);
	}
	[[nodiscard]] ls_slot_config config(std::uint32_t slot) const {
		ls_slot_config config{};
		REQUIRE(pread(configs.get(), &config, sizeof config, static_cast<off_t>(slot * sizeof config)) == sizeof config);
		return config;
	}
};

ls_loop loop_of(std::uint32_t generation, std::uint32_t pid) {
	ls_loop loop{};
	loop.in_use = 1;
	loop.generation = generation;
	loop.pid = loop.tid = pid;
	loop.rank = LS_RANK_STRONG;
	return loop;
}

} // namespace

TEST_CASE("a slot that is in use is a loop, known by its number and its occupant") {
	const Tables fake;
	CHECK(fake.tables.loops().empty());
	fake.put(3, loop_of(7, 4711));
	ls_loop unfinished = loop_of(1, 0); // its thread is not written yet
	fake.put(4, unfinished);
	const auto loops = fake.tables.loops();
	REQUIRE(loops.size() == 1);
	CHECK(loops[0].key == LoopKey{3, 7});
	CHECK(loops[0].pid == 4711);
	CHECK(fake.tables.loop({3, 7}));
	CHECK_FALSE(fake.tables.loop({3, 6})); // of an earlier occupant
	CHECK_FALSE(fake.tables.loop({2, 7}));
	CHECK_FALSE(fake.tables.loop({slots, 1}));
	CHECK_FALSE(fake.tables.current_wait({3, 7}));
	CHECK_FALSE(fake.tables.current_wait({slots, 1}));
}

TEST_CASE("a loop that changes all the time is read as it is, and says so") {
	const Tables fake;
	ls_loop loop = loop_of(1, 10);
	loop.changes = 41;
	fake.put(0, loop);
	const auto state = fake.tables.loop({0, 1});
	REQUIRE(state);
	CHECK(state->changes % 2 == 1);
	loop.changes = 42;
	fake.put(0, loop);
	CHECK(fake.tables.loop({0, 1})->changes == 42);
}

TEST_CASE("busy are those that run, were woken, or have not come to a poll call") {
	const Tables fake;
	fake.put(0, loop_of(1, 10)); // asleep in its own poll call
	ls_loop runs = loop_of(1, 11);
	runs.iteration_start_ns = 5;
	fake.put(1, runs);
	ls_loop woken = loop_of(1, 12);
	woken.woken_at_ns = 6;
	fake.put(2, woken);
	ls_loop starting = loop_of(1, 13);
	starting.rank = LS_RANK_NONE;
	fake.put(3, starting);
	std::vector<std::uint32_t> pids;
	for (const LoopState &state : fake.tables.busy_loops()) {
		pids.push_back(state.pid);
	}
	CHECK(pids == std::vector<std::uint32_t>{11, 12, 13});
	CHECK(fake.tables.loops().size() == 4);
	CHECK(fake.tables.busy_loops()[2].provisional);
}

TEST_CASE("an iteration began when it did, or when its loop was woken for it") {
	const Tables fake;
	ls_loop loop = loop_of(2, 10);
	fake.put(0, loop);
	CHECK(fake.tables.iteration_start({0, 2}) == 0U);
	loop.off_since_ns = 100;
	loop.woken_at_ns = 150;
	fake.put(0, loop);
	CHECK(fake.tables.iteration_start({0, 2}) == 150U);
	loop.iteration_start_ns = 180;
	fake.put(0, loop);
	CHECK(fake.tables.iteration_start({0, 2}) == 180U);
	CHECK_FALSE(fake.tables.iteration_start({0, 1}));
	loop.in_use = 0;
	fake.put(0, loop);
	CHECK_FALSE(fake.tables.iteration_start({0, 2}));
}

TEST_CASE("what is set of a loop holds for that occupant of its slot alone") {
	Tables fake;
	PythonLayout layout;
	layout.tstate_frame = 56;
	fake.tables.set_python({2, 5}, layout, 0x7000);
	CHECK(fake.config(2).generation == 5);
	CHECK(fake.config(2).python == 1);
	CHECK(fake.config(2).tstate == 0x7000);
	CHECK(fake.tables.ignore({2, 5}, true));
	CHECK(fake.config(2).ignore == 1);
	CHECK(fake.config(2).python == 1);
	CHECK(fake.tables.ignore({2, 5}, false));
	CHECK(fake.config(2).ignore == 0);

	CHECK(fake.tables.ignore({2, 6}, true)); // another thread has the slot
	CHECK(fake.config(2).generation == 6);
	CHECK(fake.config(2).python == 0);
	CHECK(fake.config(2).tstate == 0);
	CHECK(fake.config(1).generation == 0);
	CHECK_FALSE(fake.tables.ignore({slots, 1}, true));
	fake.tables.set_python({slots, 1}, layout, 1);
}
