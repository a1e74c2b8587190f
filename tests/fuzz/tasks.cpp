// SPDX-License-Identifier: Apache-2.0
// The memory of a CPython with tasks of asyncio, Trio and gevent: what is listed, loops, futures, chains of awaits, what each
// waits for; and whether the garbage collector is at work. The first byte is the minor version.
#include <array>
#include <string>
#include <vector>

#include "fuzz_cpython.h"
#include "runtimes/cpython/asyncio/join.h"
#include "runtimes/cpython/asyncio/known_places.h"
#include "runtimes/cpython/asyncio/loop_state.h"
#include "runtimes/cpython/asyncio/registry.h"
#include "runtimes/cpython/asyncio/task.h"
#include "runtimes/cpython/asyncio/uvloop.h"
#include "runtimes/cpython/asyncio/waits.h"
#include "runtimes/cpython/asyncio/workers.h"
#include "runtimes/cpython/garbage.h"
#include "runtimes/cpython/gevent/current.h"
#include "runtimes/cpython/gevent/greenlets.h"
#include "runtimes/cpython/trio/tasks.h"

using namespace loopsnoop;
using namespace loopsnoop::runtimes::cpython;

namespace {

constexpr std::uint64_t runtime = fuzz::runtime_address;
constexpr std::array<std::uint64_t, 2> made_up{runtime, runtime + 256};

// A task that awaits in two functions, the inner one of them each of those that are known by name; `made_up` are their locals.
void read_waits(const process::Memory &memory, const Offsets &offsets, const std::optional<asyncio::FutureLayout> &layout) {
	const PageCache cache(memory, {64, std::chrono::milliseconds(500)});
	ObjectReader reader(cache, offsets);
	asyncio::Futures futures(reader, layout);
	const asyncio::LoopState loop = asyncio::read_loop_state(reader, cache, futures, runtime);
	CodeCache codes(offsets, 0);
	const std::array threads{ThreadState{runtime, runtime, runtime, 1}};
	asyncio::Workers workers(
	    std::vector{asyncio::Worker{threads.front(), 1, "worker", {runtime}, runtime, {{"call", "jobs.py", 1}}}});
	workers.read(reader, cache, codes, threads);
	(void)workers.executor(reader, runtime);
	(void)workers.queued_in(reader, runtime + 256);
	asyncio::WaitReader waits(reader, futures, workers);
	asyncio::RawTask raw;
	raw.address = runtime;
	raw.waiter = runtime + 256;
	raw.chain = read_chain(reader, runtime);
	(void)asyncio::with_objects(reader, raw.chain);
	(void)waits.read(raw, std::vector<SourceFrame>(raw.chain.links.size()), loop, 0);
	const ChainLink link{runtime, runtime, {}, runtime, {made_up.begin(), made_up.end()}, 2};
	raw.chain = {AwaitChain::State::suspended, {link, link}, runtime + 256};
	(void)asyncio::library_objects(reader, raw.chain, std::array<SourceFrame, 2>{});
	(void)asyncio::uses_pool(reader, runtime, runtime + 256);
	TaskLoop joined;
	std::vector<asyncio::RawTask> all;
	for (const asyncio::KnownPlace &place : asyncio::known_places) {
		const SourceFrame inner{std::string(place.function), "/usr/lib/python3.11" + std::string(place.file), 1};
		const std::array frames{SourceFrame{"main", "/srv/shop/api.py", 1}, inner};
		Task task;
		task.id = raw.address;
		task.waits_for = waits.read(raw, frames, loop, 0);
		if (task.waits_for) {
			(void)asyncio::stands_for(reader, runtime + 256, *task.waits_for);
		}
		joined.tasks.push_back(std::move(task));
		all.push_back(raw);
		raw.address += 8;
	}
	asyncio::join_tasks(reader, waits, joined, all);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	fuzz::Bytes input(data, size);
	const auto python = fuzz::take_python(input);
	if (!python) {
		return 0;
	}
	const Offsets &offsets = python->offsets;
	const std::uint8_t minor = python->version.minor;
	const fuzz::InputMemory memory(input);
	// Addresses of the input repeat, so a walk may go round in it until the limits end it.
	PageCache cache(memory, {64, std::chrono::milliseconds(500)});
	ObjectReader reader(cache, offsets);
	std::optional<asyncio::DebugSection> debug;
	std::optional<asyncio::FutureLayout> layout;
	if (fuzz::take<std::uint8_t>(input) % 2 == 0) {
		debug = fuzz::take<asyncio::DebugSection>(input);
		layout = asyncio::future_layout(minor, reader, runtime, debug);
	}
	const asyncio::Registry registry = asyncio::read_registry(reader, cache, runtime, minor, debug);
	bool overtaken = false;
	(void)asyncio::find_current_tasks(reader, cache, runtime);
	(void)asyncio::read_running(reader, runtime, minor, debug, made_up);
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
		(void)trio::deadline_of(reader, object);
		(void)asyncio::uvloop_descriptor(reader, object);
		(void)gevent::name_of_greenlet(reader, object);
		(void)gevent::task_greenlet(reader, gevent::current_greenlet(reader, object));
	}
	CodeCache codes(offsets, 0);
	const std::array threads{ThreadState{runtime, runtime, 1, 1}};
	trio::KnownRunners runners{{runtime, runtime + 256}};
	(void)trio::read_runners(reader, cache, codes, threads, runners, overtaken);
	(void)trio::running_task(reader, cache, codes, threads.front());
	(void)gevent::find_greenlet_state(reader, {runtime, runtime, runtime, 1});
	(void)gevent::running_greenlet(reader, cache, codes, runtime, threads.front());
	read_waits(memory, offsets, layout);
	(void)asyncio::queued_callbacks(reader, runtime);
	(void)asyncio::codes_called_for(reader, runtime, 3);
	(void)gevent::read_hubs(memory, codes, offsets, runtime);
	(void)current_collection({memory, offsets, codes, runtime, python->version});
	return 0;
}
