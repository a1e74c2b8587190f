// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/interpreter.h"

#include <unistd.h>

#include "catch.h"
#include "python_image.h"

using namespace loopsnoop;
using namespace loopsnoop::runtimes::cpython;
using test::PythonImage;

namespace {

constexpr std::uint64_t runtime = 0x10000;
constexpr std::uint64_t interpreter = 0x20000;
constexpr std::uint64_t thread_1 = 0x30000;
constexpr std::uint64_t thread_2 = 0x31000;
constexpr std::uint64_t block_1 = 0x40000;
constexpr std::uint64_t block_2 = 0x41000;
constexpr std::uint64_t frame = 0x50000;

const std::uint32_t self = static_cast<std::uint32_t>(::getpid());

PythonImage image(std::uint8_t minor) {
	PythonImage python{{}, *offsets_of({3, minor, {}, {}})};
	python.interpreter(runtime, interpreter, 0, thread_1);
	python.thread(thread_1, thread_2, interpreter, block_1, 1, 0);
	python.thread(thread_2, 0, interpreter, block_2, self, frame);
	python.frame(frame, 0, 0x60000, 0x60100);
	if (python.offsets.interpreter.gil) {
		python.memory.put(interpreter + *python.offsets.interpreter.gil, std::uint64_t{0x70000});
	}
	return python;
}

std::optional<Interpreter> found(const PythonImage &python, std::uint8_t minor) {
	return Interpreter::at(process::ProcFs{}, self, std::make_unique<test::FakeMemory>(python.memory),
	                       {runtime, 0, {3, minor, 1, {}}, VersionFrom::symbol});
}

} // namespace

TEST_CASE("an interpreter is believed when its threads look like threads") {
	for (const std::uint8_t minor : test::Minors{9, 10, 11, 12}) {
		const auto python = found(image(minor), minor);
		REQUIRE(python);
		CHECK(python->version() == "3." + std::to_string(minor) + ".1");
		CHECK(python->thread_state(self, block_2) == thread_2);
		CHECK(python->thread_state(self, block_1) == thread_1);
		CHECK_FALSE(python->thread_state(self, 0x12345000));
		CHECK(python->frames(thread_2).size() == 1);
	}
}

TEST_CASE("without the fs base a thread is known by its id") {
	const auto python = found(image(11), 11);
	REQUIRE(python);
	CHECK(python->thread_state(self, 0) == thread_2);
	CHECK_FALSE(python->thread_state(0x3fffffff, 0)); // no such thread

	PythonImage older = image(9);
	older.memory.put(block_2 + 720, self); // glibc's struct pthread.tid
	CHECK(found(older, 9)->thread_state(self, 0) == thread_2);
}

TEST_CASE("of two states of one thread the one that runs code counts") {
	PythonImage python = image(12);
	constexpr std::uint64_t main_interpreter = 0x21000;
	python.interpreter(runtime, interpreter, main_interpreter, thread_1);
	python.interpreter(runtime, main_interpreter, 0, thread_2);
	python.memory.put(main_interpreter + *python.offsets.interpreter.gil, std::uint64_t{0x70000});
	python.thread(thread_1, 0, interpreter, block_1, self, 0);
	python.thread(thread_2, 0, main_interpreter, block_1, self, frame);
	CHECK(found(python, 12)->thread_state(self, block_1) == thread_2);
	python.thread(thread_1, 0, interpreter, block_1, self, frame);
	python.thread(thread_2, 0, main_interpreter, block_1, self, 0);
	CHECK(found(python, 12)->thread_state(self, block_1) == thread_1);
	python.thread(thread_1, 0, interpreter, block_1, self, 0);
	CHECK(found(python, 12)->thread_state(self, block_1) == thread_2); // none does: the main interpreter's
}

TEST_CASE("what is no interpreter, or not yet, is not found") {
	CHECK_FALSE(found(PythonImage{}, 11)); // nothing is mapped
	PythonImage python = image(11);
	CHECK_FALSE(found(python, 12)); // another version's layout
	CHECK_FALSE(found(python, 8));
	python.memory.put(block_1, std::uint64_t{0});
	CHECK(found(python, 11)); // one thread that can be believed is enough
	python.memory.put(block_2, std::uint64_t{0});
	CHECK_FALSE(found(python, 11));
	PythonImage starting = image(11);
	starting.memory.put(runtime + starting.offsets.runtime.interpreters_head, std::uint64_t{0});
	CHECK_FALSE(found(starting, 11));
	for (unsigned seed = 0; seed < 300; ++seed) {
		const auto noise = Interpreter::at(process::ProcFs{}, self, std::make_unique<test::NoiseMemory>(seed),
		                                   {runtime, 0, {3, 12, 1, {}}, VersionFrom::symbol});
		if (noise) { // believed by chance: everything must come back all the same
			static_cast<void>(noise->gil_holder());
			CHECK(noise->gils().ranges().size() <= 256);
		}
	}
}

TEST_CASE("the GIL of 3.11 is in the runtime, that of 3.12 where the interpreter says") {
	PythonImage python = image(11);
	const auto older = found(python, 11);
	CHECK(older->layout().gil_begin == runtime + 360 + 32);
	CHECK(older->layout().gil_end == runtime + 360 + 208);
	CHECK(older->gils().ranges() == std::vector<AddressRange>{{runtime + 392, runtime + 568}});

	PythonImage newer = image(12);
	CHECK(found(newer, 12)->layout().gil_begin == 0x70020);
	CHECK(found(newer, 12)->layout().gil_end == 0x700d0);
	newer.memory.put(interpreter + *newer.offsets.interpreter.gil, std::uint64_t{0});
	CHECK_FALSE(found(newer, 12)); // starting: there is a thread, but no GIL yet
}

TEST_CASE("a thread's layout has the GIL of its own interpreter") {
	PythonImage python = image(12);
	constexpr std::uint64_t main_interpreter = 0x21000;
	python.interpreter(runtime, interpreter, main_interpreter, thread_1);
	python.interpreter(runtime, main_interpreter, 0, thread_2);
	python.memory.put(interpreter + *python.offsets.interpreter.gil, std::uint64_t{0x90000});
	python.memory.put(main_interpreter + *python.offsets.interpreter.gil, std::uint64_t{0x70000});
	python.thread(thread_1, 0, interpreter, block_1, self, frame);
	python.thread(thread_2, 0, main_interpreter, block_2, self, frame);
	const auto one = found(python, 12);
	CHECK(one->layout_for(thread_2).gil_begin == 0x70020);
	CHECK(one->layout_for(thread_2).gil_locked == 0x70010);
	CHECK(one->layout_for(thread_1).gil_begin == 0x90020);
	CHECK(one->layout_for(thread_1).gil_end == 0x900d0);
	CHECK(one->layout_for(thread_1).gil_locked == 0x90010);
	CHECK(one->layout_for(thread_1).gil_last_holder == 0x90008);
	CHECK(one->layout_for(thread_1).tstate_native_id == 144);
	CHECK(one->layout_for(0xdead000).gil_begin == 0x70020); // not known: the main one
	CHECK(found(image(9), 9)->layout_for(thread_1).tstate_native_id == 0);
}

TEST_CASE("who holds the GIL") {
	PythonImage python = image(11);
	const std::uint64_t gil = runtime + *python.offsets.runtime.gil;
	CHECK_FALSE(found(python, 11)->gil_holder()); // free
	python.memory.put(gil + python.offsets.gil.last_holder, thread_2);
	CHECK_FALSE(found(python, 11)->gil_holder());
	python.memory.put(gil + python.offsets.gil.locked, std::int32_t{1});
	const auto holder = found(python, 11)->gil_holder();
	REQUIRE(holder);
	CHECK(holder->thread_state == thread_2);
	CHECK(holder->thread_id == block_2);
	CHECK(holder->tid == self);
	python.memory.put(gil + python.offsets.gil.locked, std::int32_t{-1}); // not made yet
	CHECK_FALSE(found(python, 11)->gil_holder());
	python.memory.put(gil + python.offsets.gil.locked, std::int32_t{1});
	python.memory.put(gil + python.offsets.gil.last_holder, std::uint64_t{0xdead000}); // a thread that is gone
	CHECK_FALSE(found(python, 11)->gil_holder());
	python.memory.put(gil + python.offsets.gil.last_holder, thread_1);
	CHECK_FALSE(found(python, 11)->gil_holder()->tid); // its id is no thread's of this process
}
