// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "model/stack.h"
#include "model/tasks.h"

namespace loopsnoop::runtimes::cpython::asyncio {

// Functions that wait, by their file's end and their name: what for, and in which of their parts that is found.
enum class Through : std::uint8_t {
	self,        // the object is the function's first argument
	tasks,       // its first argument is a set of futures
	group,       // the attribute `_tasks` or `_children` of its first argument is
	transport,   // the attribute `_transport` (or `transport`) of its first argument leads to the socket
	writer,      // likewise through `_stream_writer`, or itself
	socket,      // its second argument is a socket
	self_socket, // its first argument is a wrapper with the socket as its `_sock`
	descriptor,  // its second argument is a number
	process,     // its first argument's `_pid` or `pid` is a process
	inner,       // its first argument is the task or future waited for
	cells,       // it shares cells with the function that a worker thread runs
	nothing,
};

struct KnownPlace {
	std::string_view file;     // the end of its path
	std::string_view function; // without the class; empty: any
	std::string_view of_type;  // its first argument is of that type, or of one derived from it; empty: any
	WaitsForKind kind;
	std::string_view type; // how it is called
	Through through;
	// Counts only in place of what was recognised further in, of one of these kinds; empty: only where nothing was.
	std::array<std::optional<WaitsForKind>, 4> instead_of{};
	bool innermost = false; // counts only where it awaits the future itself: it awaits other things as well
};

// Lib/asyncio of 3.9 to 3.15 and the libraries named below; their functions of these names wait there and nowhere else.
using Kind = WaitsForKind;
inline constexpr std::array known_places = std::to_array<KnownPlace>({
    {"/asyncio/locks.py", "acquire", "Semaphore", Kind::semaphore, "asyncio.Semaphore", Through::self, {}},
    {"/asyncio/locks.py", "acquire", "Lock", Kind::lock, "asyncio.Lock", Through::self, {}},
    {"/asyncio/locks.py", "wait", "Event", Kind::event, "asyncio.Event", Through::self, {}},
    {"/asyncio/locks.py", "wait", "Condition", Kind::condition, "asyncio.Condition", Through::self, {}},
    {"/asyncio/queues.py", "get", "Queue", Kind::queue_get, "asyncio.Queue", Through::self, {}},
    {"/asyncio/queues.py", "put", "Queue", Kind::queue_put, "asyncio.Queue", Through::self, {}},
    {"/asyncio/tasks.py", "sleep", "", Kind::sleep, "asyncio.sleep", Through::nothing, {}},
    {"/asyncio/tasks.py", "_wait", "", Kind::tasks, "asyncio.wait", Through::tasks, {}},
    {"/asyncio/tasks.py", "wait_for", "", Kind::task, "asyncio.wait_for", Through::inner, {}},
    {"/asyncio/taskgroups.py", "__aexit__", "TaskGroup", Kind::tasks, "asyncio.TaskGroup", Through::group, {}},
    {"/asyncio/taskgroups.py", "_aexit", "TaskGroup", Kind::tasks, "asyncio.TaskGroup", Through::group, {}},
    {"/asyncio/streams.py", "_wait_for_data", "", Kind::socket, "", Through::transport, {}},
    {"/asyncio/streams.py", "_drain_helper", "", Kind::socket, "", Through::writer, {}},
    {"/asyncio/selector_events.py", "sock_recv", "", Kind::socket, "", Through::socket, {}},
    {"/asyncio/selector_events.py", "sock_recv_into", "", Kind::socket, "", Through::socket, {}},
    {"/asyncio/selector_events.py", "sock_recvfrom", "", Kind::socket, "", Through::socket, {}},
    {"/asyncio/selector_events.py", "sock_sendall", "", Kind::socket, "", Through::socket, {}},
    {"/asyncio/selector_events.py", "sock_connect", "", Kind::socket, "", Through::socket, {}},
    {"/asyncio/selector_events.py", "sock_accept", "", Kind::socket, "", Through::socket, {}},
    {"/asyncio/base_subprocess.py", "_wait", "", Kind::process, "", Through::process, {}},
    {"/asyncio/subprocess.py", "wait", "Process", Kind::process, "", Through::process, {}},
    {"/asyncio/base_events.py", "serve_forever", "", Kind::event, "asyncio.Server", Through::self, {}},
    {"/asyncio/base_events.py", "wait_closed", "", Kind::event, "asyncio.Server", Through::self, {}},
    // Lib/anyio/_backends/_asyncio.py and _core/_synchronization.py, anyio 3 and 4
    {"/anyio/_core/_synchronization.py", "acquire", "Lock", Kind::lock, "anyio.Lock", Through::self, {Kind::event}},
    {"/anyio/_core/_synchronization.py",
     "acquire",
     "Semaphore",
     Kind::semaphore,
     "anyio.Semaphore",
     Through::self,
     {Kind::event}},
    {"/anyio/_core/_synchronization.py", "wait", "Condition", Kind::condition, "anyio.Condition", Through::self, {Kind::event}},
    {"/anyio/_backends/_asyncio.py", "acquire", "Lock", Kind::lock, "anyio.Lock", Through::self, {}},
    {"/anyio/_backends/_asyncio.py", "acquire", "Semaphore", Kind::semaphore, "anyio.Semaphore", Through::self, {}},
    {"/anyio/_backends/_asyncio.py",
     "acquire_on_behalf_of",
     "",
     Kind::semaphore,
     "anyio.CapacityLimiter",
     Through::self,
     {Kind::event}},
    {"/anyio/_backends/_asyncio.py", "__aexit__", "TaskGroup", Kind::tasks, "anyio.TaskGroup", Through::group, {Kind::tasks}},
    {"/anyio/_backends/_asyncio.py", "receive", "", Kind::socket, "", Through::transport, {Kind::event}},
    {"/anyio/_backends/_asyncio.py",
     "run_sync_in_worker_thread",
     "",
     Kind::executor,
     "anyio's worker threads",
     Through::nothing,
     {}},
    {"/anyio/streams/memory.py", "receive", "", Kind::queue_get, "anyio's memory stream", Through::self, {Kind::event}},
    {"/anyio/streams/memory.py", "send", "", Kind::queue_put, "anyio's memory stream", Through::self, {Kind::event}},
    // Trio 0.13 to 0.34
    {"/trio/_sync.py", "acquire", "Semaphore", Kind::semaphore, "trio.Semaphore", Through::self, {}},
    {"/trio/_sync.py", "acquire", "CapacityLimiter", Kind::semaphore, "trio.CapacityLimiter", Through::self, {Kind::semaphore}},
    {"/trio/_sync.py", "acquire_on_behalf_of", "", Kind::semaphore, "trio.CapacityLimiter", Through::self, {}},
    {"/trio/_sync.py", "acquire", "_LockImpl", Kind::lock, "trio.Lock", Through::self, {}},
    {"/trio/_sync.py", "acquire", "Lock", Kind::lock, "trio.Lock", Through::self, {}},
    {"/trio/_sync.py", "wait", "Event", Kind::event, "trio.Event", Through::self, {}},
    {"/trio/_sync.py", "wait", "Condition", Kind::condition, "trio.Condition", Through::self, {}},
    {"/trio/_channel.py", "receive", "", Kind::queue_get, "trio's memory channel", Through::self, {}},
    {"/trio/_channel.py", "send", "", Kind::queue_put, "trio's memory channel", Through::self, {}},
    {"/trio/_timeouts.py", "sleep", "", Kind::sleep, "trio.sleep", Through::nothing, {Kind::sleep}},
    {"/trio/_timeouts.py", "sleep_until", "", Kind::sleep, "trio.sleep_until", Through::nothing, {}},
    {"/trio/_timeouts.py", "sleep_forever", "", Kind::sleep, "trio.sleep_forever", Through::nothing, {}},
    {"/trio/_core/_io_epoll.py", "_epoll_wait", "", Kind::socket, "", Through::descriptor, {}},
    {"/trio/_core/_run.py", "_nested_child_finished", "", Kind::tasks, "trio.Nursery", Through::group, {}},
    {"/trio/_threads.py", "to_thread_run_sync", "", Kind::executor, "trio's worker threads", Through::cells, {}},
    {"/trio/_subprocess.py", "wait", "Process", Kind::process, "", Through::process, {}},
    // gevent 1.3 to 25: what is compiled (events, locks, queues) has no frame of its own
    {"/gevent/hub.py", "sleep", "", Kind::sleep, "gevent.sleep", Through::nothing, {}},
    {"/gevent/_socket3.py", "", "", Kind::socket, "", Through::self_socket, {}},
    {"/gevent/_socketcommon.py", "", "", Kind::socket, "", Through::self_socket, {}},
    // Pools
    {"/asyncpg/pool.py", "_acquire_impl", "", Kind::pool, "asyncpg's pool", Through::self, {Kind::queue_get}},
    {"/asyncpg/pool.py", "_acquire", "", Kind::pool, "asyncpg's pool", Through::self, {Kind::queue_get, Kind::pool}},
    {"/asyncpg/connection.py", "", "", Kind::socket, "", Through::transport, {}},
    {"/asyncpg/prepared_stmt.py", "", "", Kind::socket, "", Through::transport, {}},
    {"/asyncpg/cursor.py", "", "", Kind::socket, "", Through::transport, {}},
    {"/asyncpg/transaction.py", "", "", Kind::socket, "", Through::transport, {}},
    {"/sqlalchemy/util/_concurrency_py3k.py",
     "greenlet_spawn",
     "",
     Kind::pool,
     "SQLAlchemy's pool",
     Through::nothing,
     {Kind::queue_get, Kind::task}}, // Kind::task: its queue in a wait_for(), which is a task of its own up to 3.11
    {"/sqlalchemy/util/concurrency.py",
     "greenlet_spawn",
     "",
     Kind::pool,
     "SQLAlchemy's pool",
     Through::nothing,
     {Kind::queue_get, Kind::task}}, // Kind::task: its queue in a wait_for(), which is a task of its own up to 3.11
    {"/redis/asyncio/connection.py",
     "get_connection",
     "",
     Kind::pool,
     "redis' connection pool",
     Through::self,
     {Kind::condition, Kind::lock, Kind::queue_get}},
    {"/httpcore/_async/connection_pool.py",
     "handle_async_request",
     "",
     Kind::pool,
     "httpx's connection pool",
     Through::self,
     {Kind::event}},
    {"/psycopg_pool/pool_async.py",
     "getconn",
     "",
     Kind::pool,
     "psycopg_pool",
     Through::self,
     {Kind::event, Kind::condition, Kind::pool}},
    {"/psycopg_pool/pool_async.py",
     "_getconn_unchecked",
     "",
     Kind::pool,
     "psycopg_pool",
     Through::self,
     {Kind::event, Kind::condition}},
    {"/psycopg_pool/pool_async.py", "wait", "", Kind::pool, "psycopg_pool", Through::self, {Kind::event, Kind::condition}},
    {"/psycopg/waiting.py", "wait_async", "", Kind::socket, "", Through::descriptor, {Kind::event}},
    {"/aiohttp/connector.py", "_wait_for_available_connection", "", Kind::pool, "aiohttp's connector", Through::self, {}},
    {"/aiohttp/connector.py", "connect", "", Kind::pool, "aiohttp's connector", Through::self, {}, true},
    {"/aiohttp/streams.py", "read", "", Kind::socket, "", Through::transport, {}},
    {"/aiohttp/streams.py", "_wait", "", Kind::socket, "", Through::transport, {}},
    {"/aiomysql/pool.py", "_acquire", "", Kind::pool, "aiomysql's pool", Through::self, {Kind::condition}},
    {"/aiopg/pool.py", "_acquire", "", Kind::pool, "aiopg's pool", Through::self, {Kind::condition}},
});

// The first that fits a frame whose first argument is of the types for which `is_a` holds; nullptr: none.
template <typename IsA> [[nodiscard]] const KnownPlace *find_known_place(const SourceFrame &frame, IsA is_a) {
	const std::string_view function = std::string_view(frame.function).substr(frame.function.rfind('.') + 1);
	for (const KnownPlace &place : known_places) {
		if (frame.file.ends_with(place.file) && (place.function.empty() || place.function == function) &&
		    (place.of_type.empty() || is_a(place.of_type))) {
			return &place;
		}
	}
	return nullptr;
}

} // namespace loopsnoop::runtimes::cpython::asyncio
