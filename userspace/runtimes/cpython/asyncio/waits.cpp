// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/asyncio/waits.h"

#include <algorithm>
#include <cmath>

#include "model/application.h"
#include "runtimes/cpython/asyncio/known_places.h"
#include "runtimes/cpython/asyncio/registry.h"
#include "runtimes/cpython/asyncio/uvloop.h"
#include "runtimes/cpython/trio/tasks.h"

namespace loopsnoop::runtimes::cpython::asyncio {

namespace {

// A local of a function that a nested function uses, too, is a cell.
std::uint64_t local(ObjectReader &reader, const ChainLink &link, std::size_t index) {
	if (index >= link.locals) {
		return 0;
	}
	const std::uint64_t word = link.words[index];
	return reader.type_name(word) == "cell" ? reader.word(word + after_head) : word;
}

bool replaces(const KnownPlace &place, const std::optional<WaitsFor> &known) {
	if (!known) {
		// What counts only in place of something else says nothing by itself.
		return !place.instead_of.front();
	}
	return std::ranges::any_of(place.instead_of, [&](const auto &kind) { return kind && *kind == known->kind; });
}

} // namespace

std::int64_t ends_in(double when, std::uint64_t now_ns) {
	constexpr double second = 1e9;
	constexpr double far = 9e18;
	const double left = when * second - static_cast<double>(now_ns);
	return std::isfinite(left) ? static_cast<std::int64_t>(std::clamp(left, -far, far)) : 0;
}

std::vector<TaskId> WaitReader::tasks_among(std::uint64_t container) {
	std::vector<TaskId> found;
	for (const std::uint64_t item : reader_.items(container, max_tasks)) {
		const bool is_task = is_c_task(reader_, item) || is_python_task(reader_, item);
		if ((is_task && futures_.state(item) == FutureState::pending) || trio::is_trio_task(reader_, item)) {
			found.push_back(item);
		}
	}
	std::ranges::sort(found);
	return found;
}

std::uint64_t WaitReader::either(std::uint64_t object, std::string_view name, std::string_view other) {
	const auto found = reader_.attribute(object, name);
	return found ? *found : reader_.attribute(object, other).value_or(0);
}

void WaitReader::set_socket(WaitsFor &wait, std::uint64_t transport) {
	// Lib/asyncio/selector_events.py; a transport of TLS has that of its socket in _ssl_protocol._transport or _transport.
	for (int depth = 0; depth < 3 && transport != 0; ++depth) {
		const auto number = reader_.integer(reader_.attribute(transport, "_sock_fd").value_or(0));
		const auto fd = number ? std::optional(static_cast<int>(*number)) : uvloop_descriptor(reader_, transport);
		if (fd) {
			SocketResource socket;
			socket.fd = fd;
			wait.resource = Resource(std::move(socket));
			return;
		}
		wait.address = wait.address == 0 ? transport : wait.address;
		const auto protocol = reader_.attribute(transport, "_ssl_protocol");
		transport = reader_.attribute(protocol.value_or(transport), "_transport").value_or(0);
	}
}

std::uint64_t WaitReader::transport_of(std::uint64_t object) {
	constexpr int max_steps = 3;
	for (int i = 0; i < max_steps && object != 0; ++i) {
		if (const std::uint64_t transport = either(object, "_transport", "transport"); transport != 0) {
			return transport;
		}
		object = either(object, "_connection", "_con"); // asyncpg's statements and cursors, and what its pool hands out
	}
	return 0;
}

std::optional<WaitsFor> WaitReader::pool_around(const RawTask &task, std::span<const SourceFrame> frames, const WaitsFor &inner) {
	auto found = by_frames(task, frames, inner);
	return found && found->kind == WaitsForKind::pool ? found : std::nullopt;
}

std::optional<WaitsFor> WaitReader::by_frames(const RawTask &task, std::span<const SourceFrame> frames,
                                              std::optional<WaitsFor> found) {
	const std::size_t depth = std::min(frames.size(), task.chain.links.size());
	for (std::size_t i = depth; i-- > 0;) {
		const ChainLink &link = task.chain.links[i];
		const std::uint64_t self = local(reader_, link, 0);
		const KnownPlace *place = find_known_place(frames[i], [&](std::string_view type) { return reader_.is_a(self, type); });
		if (place == nullptr || !replaces(*place, found) || (place->innermost && i + 1 < depth)) {
			if (place == nullptr && is_application_frame(frames[i])) {
				break;
			}
			continue;
		}
		const std::uint64_t inner_address = found ? found->address : 0;
		const auto waiters = found ? found->waiters : std::nullopt;
		WaitsFor wait;
		wait.kind = place->kind;
		wait.type = place->type;
		wait.waiters = waiters;
		switch (place->through) {
		case Through::self: wait.address = self; break;
		case Through::tasks: wait.tasks = tasks_among(self); break;
		case Through::group:
			wait.address = self;
			wait.tasks = tasks_among(either(self, "_tasks", "_children"));
			break;
		case Through::transport: {
			set_socket(wait, transport_of(self));
			break;
		}
		case Through::writer: {
			const auto writer = reader_.attribute(self, "_stream_writer");
			set_socket(wait, reader_.attribute(writer.value_or(self), "_transport").value_or(0));
			break;
		}
		case Through::self_socket:
		case Through::socket: {
			const bool wrapped = place->through == Through::self_socket;
			const std::uint64_t socket = wrapped ? reader_.attribute(self, "_sock").value_or(0) : local(reader_, link, 1);
			if (reader_.is_a(socket, "_socket.socket")) {
				SocketResource resource;
				resource.fd = reader_.memory().read_value<std::int32_t>(socket + after_head).value_or(-1);
				wait.resource = Resource(std::move(resource));
			}
			break;
		}
		case Through::descriptor:
			if (const auto fd = reader_.integer(local(reader_, link, 1))) {
				SocketResource resource;
				resource.fd = static_cast<int>(*fd);
				wait.resource = Resource(std::move(resource));
			}
			break;
		case Through::process:
			if (const auto pid = reader_.integer(either(self, "_pid", "pid"))) {
				wait.resource = Resource(ProcessResource{static_cast<std::uint32_t>(*pid), std::nullopt});
			}
			break;
		case Through::inner:
			if (!is_c_task(reader_, self) && !is_python_task(reader_, self)) {
				continue; // since 3.12 it awaits a coroutine, which is further in
			}
			wait.tasks = {self};
			break;
		case Through::cells:
			for (const std::uint64_t word : link.words) {
				const Worker *worker = reader_.type_name(word) == "cell" ? workers_.making(word) : nullptr;
				if (worker != nullptr) {
					add_worker(*worker, wait);
					break;
				}
			}
			break;
		case Through::nothing: wait.address = inner_address; break;
		}
		found = std::move(wait);
		add_waiters(*found);
	}
	return found;
}

void WaitReader::add_waiters(WaitsFor &wait) {
	const char *attribute = nullptr;
	switch (wait.kind) {
	case WaitsForKind::lock:
	case WaitsForKind::event:
	case WaitsForKind::condition:
	case WaitsForKind::semaphore: attribute = "_waiters"; break;
	case WaitsForKind::queue_get: attribute = "_getters"; break;
	case WaitsForKind::queue_put: attribute = "_putters"; break;
	default: return;
	}
	if (const auto waiters = reader_.attribute(wait.address, attribute)) {
		wait.waiters = reader_.size(*waiters);
	}
}

WaitsFor WaitReader::by_future(std::uint64_t waiter) {
	WaitsFor wait;
	wait.address = waiter;
	wait.type = reader_.type_name(waiter);
	if (is_c_task(reader_, waiter) || is_python_task(reader_, waiter)) {
		wait.kind = WaitsForKind::task;
		wait.tasks = {waiter};
	} else if (reader_.is_a(waiter, "_GatheringFuture")) {
		wait.kind = WaitsForKind::tasks;
		wait.type = "asyncio.gather";
		wait.tasks = tasks_among(reader_.attribute(waiter, "_children").value_or(0));
	}
	return wait;
}

void WaitReader::add_worker(const Worker &worker, WaitsFor &wait) {
	wait.kind = WaitsForKind::executor;
	wait.tid = worker.tid != 0 ? std::optional(worker.tid) : std::nullopt;
	wait.thread = worker.thread;
	if (!worker.stack.empty()) {
		wait.thread_stack.emplace().python = worker.stack;
	}
	wait.executor = workers_.executor(reader_, worker.executor);
}

// Lib/asyncio/futures.py, _chain_future: the first callback of the future that a task awaits has the executor's in a cell.
void WaitReader::executor_call(std::uint64_t waiter, WaitsFor &wait) {
	const Worker *worker = workers_.making(waiter); // anyio's
	for (const std::uint64_t callback : futures_.callbacks(waiter)) {
		if (reader_.callable_name(callback) != "_call_check_cancel") {
			continue;
		}
		for (const std::uint64_t cell : reader_.closure(callback)) {
			const auto state = reader_.attribute(cell, "_state");
			if (cell == waiter || !state || !reader_.attribute(cell, "_condition")) {
				continue;
			}
			wait.kind = WaitsForKind::executor;
			wait.type = "an executor";
			wait.address = cell;
			wait.queued = reader_.text(*state, 16) == "PENDING";
			worker = workers_.making(cell);
			if (wait.queued) {
				wait.executor = workers_.executor(reader_, workers_.queued_in(reader_, cell));
			}
		}
	}
	if (worker != nullptr) {
		add_worker(*worker, wait);
	}
}

std::optional<std::int64_t> WaitReader::ends_by_frames(const RawTask &task, std::span<const SourceFrame> frames,
                                                       std::uint64_t now_ns) {
	std::optional<std::int64_t> ends;
	const auto take = [&](std::uint64_t object, std::uint64_t since_ns) {
		const auto seconds = reader_.number(object);
		if (seconds && std::isfinite(*seconds) && *seconds > 0) {
			const std::int64_t left = ends_in(*seconds, since_ns);
			ends = std::min(ends.value_or(left), left);
		}
	};
	for (const std::uint64_t object : with_objects(reader_, task.chain)) {
		const std::string_view type = reader_.type_name(object);
		if (type == "Timeout" || type == "CancelScope") {
			take(either(object, "_when", "_deadline"), now_ns);
		}
	}
	for (std::size_t i = 0; i < std::min(frames.size(), task.chain.links.size()); ++i) {
		if (frames[i].function == "wait_for" && frames[i].file.ends_with("/asyncio/tasks.py")) {
			take(local(reader_, task.chain.links[i], 1), 0);
		}
	}
	return ends;
}

std::optional<WaitsFor> WaitReader::read(const RawTask &task, std::span<const SourceFrame> frames, const LoopState &loop,
                                         std::uint64_t now_ns) {
	if (task.changed || task.chain.state == AwaitChain::State::running || task.chain.state == AwaitChain::State::unknown) {
		return std::nullopt;
	}
	WaitsFor wait;
	if (task.waiter == 0 || futures_.state(task.waiter) == FutureState::finished ||
	    futures_.state(task.waiter) == FutureState::cancelled) {
		wait.kind = WaitsForKind::ready;
		wait.address = task.waiter;
		return wait;
	}
	auto known = by_frames(task, frames);
	wait = known ? std::move(*known) : by_future(task.waiter);
	if (wait.kind == WaitsForKind::future || wait.kind == WaitsForKind::executor) {
		executor_call(task.waiter, wait);
	}
	const auto by_future = loop.ends_by_future.find(task.waiter);
	const auto by_task = loop.ends_by_task.find(task.address);
	if (by_future != loop.ends_by_future.end()) {
		wait.ends_in_ns = ends_in(by_future->second, now_ns);
	} else if (by_task != loop.ends_by_task.end()) {
		wait.ends_in_ns = ends_in(by_task->second, now_ns);
	}
	if (wait.kind == WaitsForKind::future && by_future != loop.ends_by_future.end()) {
		wait.kind = WaitsForKind::sleep;
	}
	if (!wait.ends_in_ns && !loop.timers) {
		wait.ends_in_ns = ends_by_frames(task, frames, now_ns);
	}
	return wait;
}

std::vector<std::uint64_t> with_objects(ObjectReader &reader, const AwaitChain &chain) {
	const auto leaves = [&](std::uint64_t word) {
		const std::string name = reader.callable_name(word);
		return name == "__aexit__" || name == "__exit__";
	};
	std::vector<std::uint64_t> found;
	for (std::size_t i = chain.links.size(); i-- > 0;) {
		const ChainLink &link = chain.links[i];
		for (std::size_t at = link.locals; at < link.words.size(); ++at) {
			const std::uint64_t word = link.words[at];
			const std::string_view type = reader.type_name(word);
			if (type == "method" && leaves(word)) {
				found.push_back(reader.self_of(word));
			} else if (type == "function" && at + 1 < link.words.size() && leaves(word)) { // since 3.14
				found.push_back(link.words[at + 1]);
			}
		}
	}
	return found;
}

std::vector<std::uint64_t> library_objects(ObjectReader &reader, const AwaitChain &chain, std::span<const SourceFrame> frames) {
	constexpr std::array<std::string_view, 9> giving_back{"close",  "aclose",     "release", "_release", "__aexit__",
	                                                      "expire", "disconnect", "putconn", "terminate"};
	std::vector<std::uint64_t> found;
	for (std::size_t i = 0; i < std::min(frames.size(), chain.links.size()); ++i) {
		const std::string_view function = std::string_view(frames[i].function).substr(frames[i].function.rfind('.') + 1);
		if (std::ranges::find(giving_back, function) != giving_back.end()) {
			return {};
		}
		if (!is_application_frame(frames[i])) {
			found.push_back(local(reader, chain.links[i], 0));
		}
	}
	return found;
}

bool uses_pool(ObjectReader &reader, std::uint64_t object, std::uint64_t pool) {
	constexpr std::size_t max_steps = 3;
	// Where an object keeps its pool: asyncpg's PoolAcquireContext, aiopg's; redis' client; aiohttp's session, and its response
	// in a block; httpx's client.
	constexpr std::array paths = std::to_array<std::array<const char *, max_steps>>({
	    {"pool"},
	    {"_pool"},
	    {"connection_pool"},
	    {"_connector"},
	    {"_resp", "_connection", "_connector"},
	    {"_transport", "_pool"},
	});
	if (object == 0 || pool == 0) {
		return false;
	}
	return object == pool || std::ranges::any_of(paths, [&](const auto &path) {
		       std::uint64_t at = object;
		       for (const char *step : path) {
			       at = step != nullptr ? reader.attribute(at, step).value_or(0) : at;
			       if (at == 0) {
				       return false;
			       }
		       }
		       return at == pool;
	       });
}

bool stands_for(ObjectReader &reader, std::uint64_t object, const WaitsFor &wait) {
	if (object == wait.address) {
		return true;
	}
	if (wait.kind == WaitsForKind::lock) {
		return reader.is_a(object, "Condition") && reader.attribute(object, "_lock") == wait.address;
	}
	if (wait.kind != WaitsForKind::pool) {
		return false;
	}
	if (uses_pool(reader, object, wait.address)) {
		return true;
	}
	// contextlib.asynccontextmanager over a method of the pool, or of a client that has one
	if (const auto generator = reader.attribute(object, "gen"); generator && wait.address != 0) {
		const AwaitChain chain = read_chain(reader, *generator);
		return !chain.links.empty() && uses_pool(reader, local(reader, chain.links.front(), 0), wait.address);
	}
	// Of SQLAlchemy the pool itself is out of sight: it is used by synchronous code in a greenlet.
	return wait.type == "SQLAlchemy's pool" && (reader.is_a(object, "AsyncConnection") || reader.is_a(object, "AsyncSession"));
}

} // namespace loopsnoop::runtimes::cpython::asyncio
