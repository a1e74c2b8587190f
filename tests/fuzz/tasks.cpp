// SPDX-License-Identifier: Apache-2.0
// The memory of a CPython with tasks of asyncio and Trio: what is listed, loops, futures, chains of awaits. The first byte is the
// minor version.
#include <array>

#include "fuzz_input.h"
#include "runtimes/cpython/asyncio/registry.h"
#include "runtimes/cpython/asyncio/task.h"
#include "runtimes/cpython/offsets.h"
#include "runtimes/cpython/trio/tasks.h"

using namespace loopsnoop;
using namespace loopsnoop::runtimes::cpython;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	fuzz::Bytes input(data, size);
	constexpr std::uint8_t first_minor = 9;
	constexpr std::uint8_t minors = 7;
	Version version;
	version.minor = static_cast<std::uint8_t>(first_minor + fuzz::take<std::uint8_t>(input) % minors);
	const auto offsets = offsets_of(version);
	if (!offsets) {
		return 0;
	}
	const fuzz::InputMemory memory(input);
	constexpr std::uint64_t runtime = 0x7f0000010000;
	// Addresses of the input repeat, so a walk may go round in it until the limits end it.
	PageCache cache(memory, {64, std::chrono::milliseconds(500)});
	ObjectReader reader(cache, *offsets);
	std::optional<asyncio::DebugSection> debug;
	std::optional<asyncio::FutureLayout> layout;
	if (fuzz::take<std::uint8_t>(input) % 2 == 0) {
		debug = fuzz::take<asyncio::DebugSection>(input);
		layout = asyncio::future_layout(version.minor, reader, runtime, debug);
	}
	const asyncio::Registry registry = asyncio::read_registry(reader, cache, runtime, version.minor, debug);
	bool overtaken = false;
	const std::array<std::uint64_t, 2> made_up{runtime, runtime + 256};
	(void)asyncio::find_current_tasks(reader, cache, runtime);
	(void)asyncio::read_running(reader, runtime, version.minor, debug, made_up);
	(void)asyncio::read_tasks(reader, cache, layout,
	                          std::span(registry.tasks).first(std::min<std::size_t>(registry.tasks.size(), 4)), overtaken);
	(void)asyncio::read_tasks(reader, cache, layout, made_up, overtaken);
	asyncio::Futures futures(reader, layout);
	for (const std::uint64_t object : made_up) {
		(void)futures.is_future(object);
		(void)futures.state(object);
		for (const std::uint64_t callback : futures.callbacks(object)) {
			(void)futures.task_of(callback);
		}
		(void)futures.head(object);
		(void)asyncio::coroutine_name(reader, object);
		(void)trio::is_trio_task(reader, object);
	}
	CodeCache codes(*offsets, 0);
	const std::array threads{ThreadState{runtime, runtime, 1, 1}};
	(void)trio::read_runners(reader, cache, codes, threads, overtaken);
	return 0;
}
