// SPDX-License-Identifier: Apache-2.0
// What libraries keep in structs of C: libuv's handles behind uvloop's transports, greenlet's state of a thread.
#include "catch.h"
#include "object_image.h"
#include "runtimes/cpython/asyncio/uvloop.h"
#include "runtimes/cpython/gevent/current.h"
#include "runtimes/cpython/trio/tasks.h"

using namespace loopsnoop;
using namespace loopsnoop::runtimes::cpython;
using test::ObjectImage;

namespace {

// A TCPTransport with its uv_tcp_t, whose loop watches descriptor 9 for it.
struct Transport {
	explicit Transport(ObjectImage &python) {
		python.type("uvloop.loop.TCPTransport", python.type("uvloop.loop.UVStream"));
		object = python.object("uvloop.loop.TCPTransport", 256);
		handle = python.room(256);
		loop = python.room(256);
		watchers = python.room(256);
		python.memory.put(object + 16, python.room(64)); // its functions
		python.memory.put(object + 24, handle);
		python.memory.put(handle, object);
		python.memory.put(handle + 8, loop);
		python.memory.put<std::int32_t>(handle + 16, 12); // UV_TCP
		python.memory.put<std::int32_t>(handle + 184, 9); // io_watcher.fd
		python.memory.put(loop + 104, watchers);
		python.memory.put<std::uint32_t>(loop + 112, 16);
		python.memory.put(watchers + 9 * sizeof(std::uint64_t), handle + 136);
	}
	std::uint64_t object = 0, handle = 0, loop = 0, watchers = 0;
};

} // namespace

TEST_CASE("the descriptor of a transport of uvloop") {
	ObjectImage python(11);
	const Transport transport(python);
	ObjectReader reader(python.memory, python.offsets);
	CHECK(asyncio::uvloop_descriptor(reader, transport.object) == 9);
	SECTION("below TLS") {
		const std::uint64_t above = python.object("uvloop.loop._SSLProtocolTransport", 128);
		const std::uint64_t protocol = python.object("uvloop.loop.SSLProtocol", 256);
		python.memory.put(above + 32, protocol);
		python.memory.put(protocol + 80, above);
		python.memory.put(protocol + 112, transport.object);
		CHECK(asyncio::uvloop_descriptor(reader, above) == 9);
		python.memory.put(protocol + 112, above); // in a circle
		CHECK_FALSE(asyncio::uvloop_descriptor(reader, above));
	}
	SECTION("that its loop does not watch for it") {
		python.memory.put(transport.watchers + 9 * sizeof(std::uint64_t), transport.handle);
		CHECK_FALSE(asyncio::uvloop_descriptor(reader, transport.object));
	}
	SECTION("beyond what its loop watches") {
		python.memory.put<std::uint32_t>(transport.loop + 112, 9);
		CHECK_FALSE(asyncio::uvloop_descriptor(reader, transport.object));
	}
	SECTION("of no stream") {
		python.memory.put<std::int32_t>(transport.handle + 16, 13); // UV_TIMER
		CHECK_FALSE(asyncio::uvloop_descriptor(reader, transport.object));
	}
	SECTION("that is closed") {
		python.memory.put<std::int32_t>(transport.handle + 184, -1);
		CHECK_FALSE(asyncio::uvloop_descriptor(reader, transport.object));
	}
	SECTION("whose handle is another's") {
		python.memory.put(transport.handle, transport.loop);
		CHECK_FALSE(asyncio::uvloop_descriptor(reader, transport.object));
	}
	CHECK_FALSE(asyncio::uvloop_descriptor(reader, python.object("uvloop.loop.UVTimer")));
	CHECK_FALSE(asyncio::uvloop_descriptor(reader, 0));
}

TEST_CASE("the greenlet that runs in a thread") {
	ObjectImage python(11);
	python.type("Hub", python.type("greenlet.greenlet"));
	std::uint64_t main = 0;
	const auto greenlet = [&](const char *type, std::uint64_t parent) { // as in greenlet 2.0
		const std::uint64_t object = python.object(type);
		const std::uint64_t impl = python.room(256);
		python.memory.put(object + 32, impl);
		python.memory.put(impl + 160, object);
		python.memory.put(impl + 168, main);
		python.memory.put(impl + 184, parent);
		return object;
	};
	main = greenlet("greenlet.greenlet", 0);
	const std::uint64_t hub = greenlet("Hub", main);
	const std::uint64_t one = greenlet("greenlet.greenlet", hub);
	const std::uint64_t inner = greenlet("greenlet.greenlet", one);
	const std::uint64_t state = python.room(64);
	python.memory.put(state, main);
	python.memory.put(state + 8, inner);
	ObjectReader reader(python.memory, python.offsets);
	python.memory.put(reader.word(main + 32) + 168, state); // MainGreenlet._thread_state

	const std::uint64_t thread = python.room(64);
	const std::uint64_t vector = python.room(512);
	const std::uint64_t block = python.room(64);
	python.memory.put(thread + 8, vector);
	python.memory.put(vector + 48, block);
	python.memory.put(block + 16, state);
	const ThreadState its{0x1000, 0, thread, 1};
	CHECK(gevent::find_greenlet_state(reader, its) == state);
	CHECK(gevent::current_greenlet(reader, state) == inner);
	CHECK(gevent::task_greenlet(reader, inner) == one);
	CHECK(gevent::task_greenlet(reader, one) == one);
	CHECK(gevent::task_greenlet(reader, main) == main);
	CHECK(gevent::task_greenlet(reader, hub) == 0);
	CHECK(gevent::name_of_greenlet(reader, one) == "greenlet");

	python.memory.put(reader.word(inner + 32) + 184, inner); // its own parent
	CHECK(gevent::task_greenlet(reader, inner) == inner);
	python.memory.put(reader.word(main + 32) + 168, block); // it does not lead back
	CHECK(gevent::current_greenlet(reader, state) == 0);
	CHECK(gevent::find_greenlet_state(reader, its) == 0);
	CHECK(gevent::current_greenlet(reader, 0) == 0);
}

TEST_CASE("noise in place of what libraries keep") {
	for (unsigned seed = 0; seed < 100; ++seed) {
		const test::NoiseMemory memory(seed);
		const Offsets offsets = *offsets_of({3, static_cast<std::uint8_t>(9 + seed % 4), {}, {}});
		ObjectReader reader(memory, offsets);
		for (std::uint64_t address = 0x7f0000000000; address < 0x7f0000000400; address += 64) {
			(void)asyncio::uvloop_descriptor(reader, address);
			(void)gevent::find_greenlet_state(reader, {address, address, address, 1});
			(void)gevent::task_greenlet(reader, address);
			(void)trio::deadline_of(reader, address);
		}
		CHECK(memory.reads < 3'000'000);
	}
}
