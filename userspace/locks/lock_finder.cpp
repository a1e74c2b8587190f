// SPDX-License-Identifier: Apache-2.0
#include "locks/lock_finder.h"

#include <sys/syscall.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "locks/futex_call.h"
#include "locks/pthread_locks.h"
#include "locks/python_locks.h"
#include "locks/thread_names.h"

namespace loopsnoop::locks {

namespace {

using Lookup = std::function<std::optional<Holder>(std::uint64_t)>;

// Between two readings of the owner the waiting thread is seen to wait: so it was the owner, and the thread did wait for it.
std::optional<Holder> steady_holder(const std::function<std::uint64_t()> &owner, const LockScene &scene, const Lookup &lookup) {
	const std::uint64_t before = owner();
	if (before == 0) {
		return std::nullopt;
	}
	std::optional<Holder> holder = lookup(before);
	if (!holder || !scene.still_waits() || owner() != before) {
		return std::nullopt;
	}
	return holder;
}

LockView view_mutex(const FutexCall &call, const LockScene &scene) {
	LockView view;
	const auto mutex = read_mutex(scene.memory, call.address, call.locks_pi);
	if (!mutex) {
		return view;
	}
	view.lock = LockKind::pthread_mutex;
	view.type = mutex->type;
	const auto owner = [&]() -> std::uint64_t {
		const auto now = read_mutex(scene.memory, call.address, call.locks_pi);
		return now && now->type == mutex->type ? now->owner_tid : 0;
	};
	view.holder = steady_holder(owner, scene, scene.by_inner_tid);
	return view;
}

LockView view_rwlock(const FutexCall &call, const LockScene &scene) {
	LockView view;
	view.type = "pthread rwlock";
	if (const auto lock = find_rwlock(scene.memory, call.address)) {
		const auto owner = [&]() -> std::uint64_t { return read_rwlock_writer(scene.memory, *lock); };
		view.holder = steady_holder(owner, scene, scene.by_inner_tid);
	}
	return view;
}

// Handler.acquire() up to 3.12, Handler.handle() since (Lib/logging/__init__.py): both wait for self.lock and no other RLock.
bool in_logging_handler(const Stack &stack) {
	if (stack.python.empty() || !stack.python.front().file.ends_with("/logging/__init__.py")) {
		return false;
	}
	const std::string_view function = stack.python.front().function;
	return function == "Handler.acquire" || function == "Handler.handle" || function == "acquire" || function == "handle";
}

bool in_import(const Stack &stack) {
	return !stack.python.empty() && stack.python.front().file == "<frozen importlib._bootstrap>";
}

// Who waits for a condition waits for a plain lock of its own, which the one that notifies it releases: nobody holds that up.
// What the condition is for follows from the caller (Lib/threading.py, Lib/queue.py, Lib/concurrent/futures/_base.py; qualified
// names are known since 3.11).
std::string plain_lock_type(const std::vector<SourceFrame> &frames) {
	const auto is = [&](std::size_t i, std::string_view file, std::string_view function) {
		return i < frames.size() && frames[i].file.ends_with(file) && frames[i].function == function;
	};
	if (!is(0, "/threading.py", "Condition.wait") && !is(0, "/threading.py", "wait")) {
		return "threading.Lock";
	}
	// ApplyResult.wait(), which waits for an event of its own (Lib/multiprocessing/pool.py).
	constexpr std::size_t of_event = 2;
	if (is(of_event, "/multiprocessing/pool.py", "ApplyResult.wait") || is(of_event, "/multiprocessing/pool.py", "wait")) {
		return std::string(pool_result);
	}
	struct Caller {
		std::string_view file, function, type;
	};
	constexpr std::array callers{
	    Caller{"/threading.py", "Event.wait", "threading.Event"},
	    Caller{"/threading.py", "Semaphore.acquire", "threading.Semaphore"},
	    Caller{"/queue.py", "Queue.get", "queue.Queue"},
	    Caller{"/queue.py", "Queue.put", "queue.Queue"},
	    Caller{"/concurrent/futures/_base.py", "Future.result", "concurrent.futures.Future"},
	};
	for (const Caller &caller : callers) {
		// Without its class "wait" may be of several.
		const std::string_view plain = caller.function.substr(caller.function.find('.') + 1);
		if (is(1, caller.file, caller.function) || (caller.file != "/threading.py" && is(1, caller.file, plain))) {
			return std::string(caller.type);
		}
	}
	return "threading.Condition";
}

LockView view_python(const FutexCall &call, const RawStack &stack, const Stack &named, const LockScene &scene) {
	LockView view;
	if (!named.python.empty() && runtimes::cpython::is_thread_join(named.python.front())) {
		view.lock = LockKind::python_lock;
		view.type = thread_end;
		if (scene.joined) {
			view.holder = steady_holder(scene.joined, scene, scene.by_ident);
		}
		return view;
	}
	const auto lock = find_python_lock(scene.memory, call.address, stack);
	if (!lock) {
		return view;
	}
	view.lock = LockKind::python_lock;
	view.object = lock->object;
	if (!lock->reentrant && in_import(named)) {
		view.type = "import lock";
		if (const auto import = scene.import_lock ? scene.import_lock(lock->object) : std::nullopt) {
			view.type = "import lock of " + import->module;
			const auto owner = [&] {
				const auto now = scene.import_lock(lock->object);
				return now ? now->owner : 0;
			};
			view.holder = steady_holder(owner, scene, scene.by_ident);
		}
		return view;
	}
	if (!lock->reentrant) {
		view.type = plain_lock_type(named.python); // anyone may release it: it has no owner
		if (view.type == "queue.Queue" && scene.full_queue) {
			view.full = scene.full_queue();
			view.full = scene.still_waits() ? view.full : std::nullopt;
		}
		return view;
	}
	view.type = in_logging_handler(named) ? "logging.Handler.lock" : "threading.RLock";
	const auto owner = [&] { return read_rlock_owner(scene.memory, lock->object); };
	view.holder = steady_holder(owner, scene, scene.by_ident);
	return view;
}

} // namespace

LockView view_lock(const RawStack &stack, const Stack &named, const LockScene &scene) {
	const auto call = futex_call(stack);
	if (!call) {
		return {};
	}
	const LibraryLock library = library_lock(named.native);
	if (call->locks_pi || library == LibraryLock::mutex) {
		return view_mutex(*call, scene);
	}
	if (library == LibraryLock::rwlock) {
		return view_rwlock(*call, scene);
	}
	return scene.by_ident ? view_python(*call, stack, named, scene) : LockView{};
}

LockView view_lock(const process::ProcFs &proc, const RawStack &stack, const Stack &named,
                   runtimes::cpython::Interpreter *interpreter) {
	const process::TargetMemory memory(stack.pid);
	LockScene scene{memory, {}, {}, {}, {}, {}, {}};
	scene.still_waits = [&] {
		const auto now = proc.syscall(stack.pid, stack.tid);
		const auto call = futex_call(stack);
		return now && call && now->number == SYS_futex && now->args[0] == call->address;
	};
	scene.by_inner_tid = [&](std::uint64_t tid) { return thread_by_inner_tid(proc, stack.pid, tid); };
	if (interpreter != nullptr) {
		scene.by_ident = [&](std::uint64_t ident) { return thread_by_ident(proc, stack.pid, memory, *interpreter, ident); };
		scene.import_lock = [&](std::uint64_t lock) {
			const auto state = interpreter->thread_state(stack.tid, 0);
			return state ? runtimes::cpython::import_lock(interpreter->view(), *state, lock) : std::nullopt;
		};
		scene.joined = [&]() -> std::uint64_t {
			const auto state = interpreter->thread_state(stack.tid, 0);
			return state ? runtimes::cpython::joined_thread(interpreter->view(), *state).value_or(0) : 0;
		};
		scene.full_queue = [&]() -> std::optional<QueueFill> {
			const auto state = interpreter->thread_state(stack.tid, 0);
			return state ? runtimes::cpython::full_queue(interpreter->view(), *state) : std::nullopt;
		};
	}
	return view_lock(stack, named, scene);
}

LockView name_lock(const RawStack &stack, const Stack &named, bool has_python) {
	const process::TargetMemory memory(stack.pid);
	const auto nobody = [](std::uint64_t) -> std::optional<Holder> { return std::nullopt; };
	LockScene scene{memory, [] { return false; }, nobody, {}, {}, {}, {}};
	if (has_python) {
		scene.by_ident = nobody;
	}
	return view_lock(stack, named, scene);
}

} // namespace loopsnoop::locks
