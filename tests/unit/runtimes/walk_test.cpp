// SPDX-License-Identifier: Apache-2.0
#include "catch.h"
#include "python_image.h"
#include "runtimes/cpython/walk.h"

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
constexpr std::uint64_t frame_1 = 0x50000;
constexpr std::uint64_t frame_2 = 0x51000;
constexpr std::uint64_t frame_3 = 0x52000;
constexpr std::uint64_t code_1 = 0x60000;
constexpr std::uint64_t code_2 = 0x61000;

PythonImage image(std::uint8_t minor) { return {{}, *offsets_of({3, minor, {}, {}})}; }

} // namespace

TEST_CASE("threads of all interpreters") {
	for (const std::uint8_t minor : test::Minors{9, 10, 11, 12}) {
		PythonImage python = image(minor);
		constexpr std::uint64_t main_interpreter = 0x21000;
		python.interpreter(runtime, interpreter, main_interpreter, thread_1);
		python.interpreter(runtime, main_interpreter, 0, thread_2);
		python.thread(thread_1, 0, interpreter, block_1, 11, 0);
		python.thread(thread_2, 0, main_interpreter, block_2, 12, 0);
		CHECK(walk_interpreters(python.memory, python.offsets, runtime) == std::vector{interpreter, main_interpreter});
		const auto threads = walk_threads(python.memory, python.offsets, runtime);
		REQUIRE(threads.size() == 2);
		CHECK(threads[0].address == thread_1);
		CHECK(threads[1].interpreter == main_interpreter);
		CHECK(threads[1].thread_id == block_2);
		CHECK(threads[1].native_id == (minor >= 11 ? 12 : 0));
		CHECK(walk_frames(python.memory, python.offsets.frames, thread_1).empty()); // runs no Python code
	}
}

TEST_CASE("thread lists that bite their tail, lead nowhere, or change hands") {
	PythonImage python = image(11);
	python.interpreter(runtime, interpreter, interpreter, thread_1);
	CHECK(walk_interpreters(python.memory, python.offsets, runtime).size() == 1);
	python.thread(thread_1, thread_2, interpreter, block_1, 11, 0);
	python.thread(thread_2, thread_1, interpreter, block_2, 12, 0);
	CHECK(walk_threads(python.memory, python.offsets, runtime).size() == 2);
	python.thread(thread_2, 0xdead000, interpreter, block_2, 12, 0);
	CHECK(walk_threads(python.memory, python.offsets, runtime).size() == 2);
	python.thread(thread_2, thread_1, 0x999, block_2, 12, 0); // freed: another's memory by now
	CHECK(walk_threads(python.memory, python.offsets, runtime).size() == 1);
	CHECK(walk_threads(python.memory, python.offsets, 0).empty());
	CHECK(walk_interpreters(python.memory, python.offsets, 0xffffffffffffff00).empty());
}

TEST_CASE("frames, innermost first") {
	for (const std::uint8_t minor : test::Minors{9, 10, 11, 12}) {
		PythonImage python = image(minor);
		python.thread(thread_1, 0, interpreter, block_1, 11, frame_1);
		python.frame(frame_1, frame_2, code_1, code_1 + 100);
		python.frame(frame_2, 0, code_2, code_2 + 100);
		const auto frames = walk_frames(python.memory, python.offsets.frames, thread_1);
		CHECK(frames == std::vector<PlacedFrame>{{{code_1, code_1 + 100}, frame_1}, {{code_2, code_2 + 100}, frame_2}});
	}
}

TEST_CASE("frames of the C stack are skipped, tags taken off") {
	PythonImage python = image(12);
	python.offsets.frames.pointer_mask = ~3ULL;
	python.thread(thread_1, 0, interpreter, block_1, 11, frame_1);
	python.frame(frame_1, frame_2, code_1 | 1U, code_1 + 100);
	python.frame(frame_2, frame_3, 0x77777, 0, 3);
	python.frame(frame_3, 0, code_2, code_2 + 100, 1); // a generator's
	const auto frames = walk_frames(python.memory, python.offsets.frames, thread_1);
	CHECK(frames == std::vector<PlacedFrame>{{{code_1, code_1 + 100}, frame_1}, {{code_2, code_2 + 100}, frame_3}});
}

TEST_CASE("frame lists that bite their tail end, those that lead nowhere are cut") {
	PythonImage python = image(12);
	python.thread(thread_1, 0, interpreter, block_1, 11, frame_1);
	python.frame(frame_1, frame_2, code_1, 1);
	python.frame(frame_2, frame_1, code_2, 2);
	CHECK(walk_frames(python.memory, python.offsets.frames, thread_1).size() == 128);
	python.frame(frame_2, frame_2, code_2, 2, 3); // nothing but frames of the C stack
	CHECK(walk_frames(python.memory, python.offsets.frames, thread_1).size() == 1);
	python.frame(frame_2, 0xdead000, code_2, 2);
	CHECK(walk_frames(python.memory, python.offsets.frames, thread_1).size() == 2);
	CHECK(walk_frames(python.memory, python.offsets.frames, 0).empty());
	CHECK(walk_frames(python.memory, python.offsets.frames, 0xffffffffffffffff).empty());
}

TEST_CASE("walks through noise end") {
	for (unsigned seed = 0; seed < 200; ++seed) {
		for (const std::uint8_t minor : test::Minors{9, 10, 11, 12}) {
			const test::NoiseMemory noise(seed);
			const auto offsets = *offsets_of({3, minor, {}, {}});
			CHECK(walk_interpreters(noise, offsets, runtime).size() <= 256);
			CHECK(walk_threads(noise, offsets, runtime).size() <= 65'536);
			CHECK(walk_frames(noise, offsets.frames, thread_1).size() <= 128);
			CHECK(noise.reads < 200'000);
		}
	}
}
