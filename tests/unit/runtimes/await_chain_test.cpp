// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/await_chain.h"

#include "catch.h"
#include "object_image.h"

using namespace loopsnoop;
using namespace loopsnoop::runtimes::cpython;
using test::ObjectImage;

namespace {

// A suspended coroutine of 3.11 or 3.12 with one local and what it awaits on its stack.
std::uint64_t coroutine(ObjectImage &python, std::uint64_t self, std::uint64_t awaited, std::int8_t state = -1,
                        const char *type = "coroutine") {
	const std::uint64_t code = python.object("code", 256);
	python.memory.put<std::int32_t>(code + python.offsets.code.locals, 1);
	const std::uint64_t object = python.object(type, 256);
	const std::uint64_t frame = object + python.offsets.coroutine.frame;
	python.memory.put(frame + python.offsets.frames.frame_code, code);
	python.memory.put(frame + python.offsets.frames.frame_instruction, code + 200);
	python.memory.put<std::uint32_t>(frame + python.offsets.coroutine.top, awaited != 0 ? 2 : 1);
	python.memory.put(frame + python.offsets.frame.locals, self);
	python.memory.put(frame + python.offsets.frame.locals + 8, awaited);
	python.memory.put(object + python.offsets.coroutine.state, state);
	return object;
}

} // namespace

TEST_CASE("a chain goes from the outermost coroutine to the future") {
	for (const std::uint8_t minor : test::Minors{11, 12}) {
		ObjectImage python(minor);
		const std::uint64_t future = python.object("_asyncio.Future", 256);
		const std::uint64_t iterator = python.object("_asyncio.FutureIter");
		python.memory.put(iterator + 16, future);
		const std::uint64_t lock = python.object("Lock");
		const std::uint64_t inner = coroutine(python, lock, iterator);
		const std::uint64_t wrapper = python.object("coroutine_wrapper");
		python.memory.put(wrapper + 16, inner);
		const std::uint64_t outer = coroutine(python, 0, wrapper);
		ObjectReader reader(python.memory, python.offsets);
		const AwaitChain chain = read_chain(reader, outer);
		CHECK(chain.state == AwaitChain::State::suspended);
		REQUIRE(chain.links.size() == 2);
		CHECK(chain.links[0].object == outer);
		CHECK(chain.links[1].object == inner);
		CHECK(chain.links[1].first_local() == lock);
		CHECK(chain.end == future);
		const PageCache cache(python.memory);
		ObjectReader cached(cache, python.offsets);
		CHECK(read_chains(cached, cache, std::vector{outer, inner, future})[0] == chain);
	}
}

TEST_CASE("chains that end early") {
	ObjectImage python(11);
	ObjectReader reader(python.memory, python.offsets);
	CHECK(read_chain(reader, coroutine(python, 0, 0, 0)).state == AwaitChain::State::running);
	CHECK(read_chain(reader, coroutine(python, 0, 0, 1)).state == AwaitChain::State::ended);
	CHECK(read_chain(reader, coroutine(python, 0, 0, 4)).state == AwaitChain::State::ended);
	const AwaitChain created = read_chain(reader, coroutine(python, 0, 0, -2));
	CHECK(created.state == AwaitChain::State::created);
	CHECK(created.links.size() == 1);
	CHECK(read_chain(reader, python.object("cython_function_or_method")).state == AwaitChain::State::unknown);
	CHECK(read_chain(reader, 0).links.empty());
	// A Cython coroutine ends it.
	const std::uint64_t cython = python.object("_cython_3_0_0.coroutine");
	CHECK(read_chain(reader, coroutine(python, 0, cython)).end == cython);
}

TEST_CASE("a generator that yields for itself awaits nothing, whatever lies on its stack") {
	ObjectImage python(11);
	const std::uint64_t other = coroutine(python, 0, 0, -1, "generator");
	const std::uint64_t generator = coroutine(python, 0, other, -1, "generator");
	ObjectReader reader(python.memory, python.offsets);
	CHECK(read_chain(reader, generator).links.size() == 1);
	const std::uint64_t instruction =
	    reader.word(generator + python.offsets.coroutine.frame + python.offsets.frames.frame_instruction);
	python.memory.put<std::uint8_t>(instruction + 3, 2); // RESUME after `yield from`
	CHECK(read_chain(reader, generator).links.size() == 2);
}

TEST_CASE("a chain that bites its tail, and one without end") {
	ObjectImage python(12);
	const std::uint64_t tail = coroutine(python, 0, 1);
	python.memory.put(tail + python.offsets.coroutine.frame + python.offsets.frame.locals + 8, tail);
	ObjectReader reader(python.memory, python.offsets);
	const AwaitChain circle = read_chain(reader, tail);
	CHECK(circle.links.size() == 1);
	CHECK(circle.state == AwaitChain::State::unknown);
	std::uint64_t last = coroutine(python, 0, 0);
	for (int i = 0; i < 200; ++i) {
		last = coroutine(python, 0, last);
	}
	CHECK(read_chain(reader, last).links.size() == 64);
	for (unsigned seed = 0; seed < 300; ++seed) {
		const test::NoiseMemory noise(seed);
		ObjectReader noisy(noise, python.offsets);
		CHECK(read_chain(noisy, 0x100000).links.size() <= 64);
	}
}
