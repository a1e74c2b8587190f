// SPDX-License-Identifier: Apache-2.0
#include "summary/advice.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "analysis/circumstances.h"
#include "analysis/culprit.h"
#include "analysis/pool_wait.h"
#include "model/application.h"

namespace loopsnoop::summary {

namespace {

enum class Runtime : std::uint8_t { asyncio, node };

// What a row searches for in the stack, below the application's own line: what that line called.
enum class In : std::uint8_t {
	python_file,     // a part of the path of a Python frame
	native_module,   // a part of the path of a native frame's module
	native_function, // the beginning of a native frame's name
	lock,            // the beginning of what the lock is called
	anything,
};

constexpr unsigned bit(Cause cause) { return 1U << static_cast<unsigned>(cause); }
constexpr unsigned any_cause = ~0U;
constexpr unsigned of_peer = bit(Cause::socket) | bit(Cause::poll) | bit(Cause::pipe);
constexpr unsigned of_file = bit(Cause::file_io);

struct Row {
	Runtime runtime;
	unsigned causes;
	In in;
	std::string_view needle;
	std::string_view text;
};

constexpr std::string_view database =
    "a synchronous database call on the event loop: use an async driver, or run it in a thread (asyncio.to_thread)";
constexpr std::string_view http =
    "a synchronous HTTP request on the event loop: use an async client, or run it in a thread (asyncio.to_thread)";
constexpr std::string_view dns = "a blocking DNS look-up on the event loop: use loop.getaddrinfo(), or a client that does";
constexpr std::string_view child = "a child process is waited for on the event loop: use asyncio.create_subprocess_exec";
constexpr std::string_view logging =
    "logging blocks the event loop: log through logging.handlers.QueueHandler and let a QueueListener write";

// The first row that fits is given: those that say more come first.
constexpr std::array rows{
    Row{Runtime::asyncio, of_peer, In::native_function, "getaddrinfo", dns},
    Row{Runtime::asyncio, of_peer, In::native_function, "gethostby", dns},
    Row{Runtime::asyncio, of_peer, In::native_function, "getnameinfo", dns},
    Row{Runtime::asyncio, of_peer, In::python_file, "/redis/",
        "a synchronous Redis call on the event loop: use redis.asyncio, or run it in a thread (asyncio.to_thread)"},
    Row{Runtime::asyncio, of_peer, In::python_file, "/sqlalchemy/",
        "a synchronous database call on the event loop: use SQLAlchemy's asyncio API, or run it in a thread (asyncio.to_thread)"},
    Row{Runtime::asyncio, of_peer, In::native_module, "/psycopg2/", database},
    Row{Runtime::asyncio, of_peer, In::python_file, "/psycopg/", database},
    Row{Runtime::asyncio, of_peer, In::python_file, "/pymysql/", database},
    Row{Runtime::asyncio, of_peer, In::python_file, "/MySQLdb/", database},
    Row{Runtime::asyncio, of_peer, In::python_file, "/pymongo/", database},
    Row{Runtime::asyncio, any_cause, In::native_module, "/_sqlite3.",
        "a synchronous SQLite call on the event loop: run it in a thread (asyncio.to_thread)"},
    Row{Runtime::asyncio, of_peer, In::python_file, "/requests/", http},
    Row{Runtime::asyncio, of_peer, In::python_file, "/urllib3/", http},
    Row{Runtime::asyncio, of_peer, In::python_file, "/httpcore/_sync/", http},
    Row{Runtime::asyncio, of_peer, In::python_file, "/urllib/request.py", http},
    Row{Runtime::asyncio, of_peer, In::python_file, "/http/client.py", http},
    Row{Runtime::asyncio, any_cause, In::python_file, "/subprocess.py", child},
    Row{Runtime::asyncio, bit(Cause::child), In::anything, "", child},
    Row{Runtime::asyncio, bit(Cause::futex), In::lock, "logging.", logging},
    Row{Runtime::asyncio, of_peer | of_file, In::python_file, "/logging/", logging},
    Row{Runtime::asyncio, bit(Cause::futex), In::lock, "concurrent.futures.Future",
        "a thread's result is waited for on the event loop: await asyncio.wrap_future(future)"},
    Row{Runtime::asyncio, bit(Cause::futex), In::lock, "result of a multiprocessing.Pool",
        "a process's result is waited for on the event loop; it never comes when that worker was killed: use "
        "loop.run_in_executor with a ProcessPoolExecutor, which raises then"},
    Row{Runtime::asyncio, bit(Cause::futex), In::lock, "threading.Thread",
        "a thread's end is waited for on the event loop: await asyncio.to_thread(thread.join)"},
    Row{Runtime::asyncio, bit(Cause::futex), In::lock, "queue.Queue",
        "a thread's queue is waited for on the event loop: use asyncio.Queue, or run it in a thread (asyncio.to_thread)"},
    Row{Runtime::asyncio, bit(Cause::socket), In::anything, "",
        "a blocking socket call on the event loop: use asyncio's streams, or run it in a thread (asyncio.to_thread)"},
    Row{Runtime::asyncio, of_file, In::anything, "",
        "blocking file I/O on the event loop: run it in a thread (asyncio.to_thread)"},
    Row{Runtime::asyncio, bit(Cause::cpu), In::anything, "",
        "computing on the event loop: run it in another process (a ProcessPoolExecutor), or in pieces, awaiting in between"},
    Row{Runtime::node, any_cause, In::native_function, "node::SyncProcessRunner::",
        "a child process is run synchronously on the event loop (execSync, spawnSync): use exec or spawn"},
    Row{Runtime::node, of_file | of_peer, In::native_function,
        "node::fs::", "a synchronous file call on the event loop (fs.…Sync): use fs.promises"},
    Row{Runtime::node, bit(Cause::cpu), In::native_function, "node::worker::Worker::",
        "computing in a worker thread keeps its messages waiting: share the work out to more workers, or do it in pieces"},
    Row{Runtime::node, bit(Cause::cpu), In::anything, "",
        "computing on the event loop: run it in a worker thread (node:worker_threads), or in pieces"},
};

std::optional<Runtime> runtime_of(const Stack &stack) {
	// uvloop is started by asyncio, too.
	if (std::ranges::any_of(stack.python,
	                        [](const SourceFrame &frame) { return frame.file.find("/asyncio/") != std::string::npos; })) {
		return Runtime::asyncio;
	}
	const auto has = [&](std::string_view name) {
		return std::ranges::any_of(stack.native,
		                           [&](const NativeFrame &frame) { return frame.function && frame.function->starts_with(name); });
	};
	return has("uv_run") && (has("node::") || has("v8::")) ? std::optional(Runtime::node) : std::nullopt;
}

// What the application called: frames further in than its innermost own one. All, where it has none.
std::span<const SourceFrame> called(const std::vector<SourceFrame> &frames) {
	const SourceFrame *own = innermost_application_frame(frames);
	return std::span(frames).first(own != nullptr ? static_cast<std::size_t>(own - frames.data()) : frames.size());
}

bool fits(const Row &row, const Stack &stack, const Wait *wait) {
	switch (row.in) {
	case In::anything: return true;
	case In::lock: {
		const auto *lock = wait != nullptr && wait->resource ? std::get_if<FutexResource>(&wait->resource->is) : nullptr;
		return lock != nullptr && lock->type && lock->type->starts_with(row.needle);
	}
	case In::python_file:
		return std::ranges::any_of(called(stack.python),
		                           [&](const SourceFrame &frame) { return frame.file.find(row.needle) != std::string::npos; });
	case In::native_module:
		return std::ranges::any_of(stack.native, [&](const NativeFrame &frame) {
			return frame.module && frame.module->find(row.needle) != std::string::npos;
		});
	case In::native_function: break;
	}
	return std::ranges::any_of(
	    stack.native, [&](const NativeFrame &frame) { return frame.function && frame.function->starts_with(row.needle); });
}

// time.sleep() has no frame of its own: it is the application's line, or a library's, that sleeps.
std::optional<std::string> about_sleep(const Stall &stall, const Stack &stack) {
	if (stall.cause != Cause::sleep || stack.python.empty()) {
		return std::nullopt;
	}
	if (called(stack.python).empty()) {
		return "time.sleep() on the event loop: use await asyncio.sleep()";
	}
	return "a library sleeps on the event loop: run what calls it in a thread (asyncio.to_thread)";
}

} // namespace

std::optional<std::string> advice_for(const Stall &stall) {
	if (analysis::is_paging(stall)) {
		return "pages that were not in memory are touched on the event loop, and read one by one: give it more memory, or touch "
		       "them in a thread";
	}
	const Wait *wait = analysis::main_wait(stall);
	const bool computes = stall.cause == Cause::cpu;
	if (stall.no_loop_yet || (!computes && (wait == nullptr || wait->cause != stall.cause || !wait->stack))) {
		return std::nullopt;
	}
	// Of what computes not every stack goes down to its beginning.
	const auto whole = std::ranges::find_if(stall.cpu, [](const CpuPart &part) { return runtime_of(part.stack).has_value(); });
	if (computes && whole == stall.cpu.end()) {
		return std::nullopt;
	}
	const Stack &stack = computes ? whole->stack : *wait->stack;
	const auto runtime = runtime_of(stack);
	if (!runtime) {
		return std::nullopt;
	}
	if (stall.callbacks && computes) {
		return "many callbacks were ready at once: let fewer tasks run side by side (a semaphore, a queue with some workers)";
	}
	if (!analysis::pool_of(stack).empty()) {
		return "a connection pool is waited for on the event loop: give back each connection on every path (with …:), and wait "
		       "for one in "
		       "a thread (asyncio.to_thread) or use an async driver";
	}
	const auto *const row = std::ranges::find_if(rows, [&](const Row &one) {
		return one.runtime == *runtime && (one.causes & bit(stall.cause)) != 0 && fits(one, stack, computes ? nullptr : wait);
	});
	if (row != rows.end()) {
		return std::string(row->text);
	}
	return *runtime == Runtime::asyncio ? about_sleep(stall, stack) : std::nullopt;
}

} // namespace loopsnoop::summary
