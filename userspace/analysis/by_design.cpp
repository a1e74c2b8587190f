// SPDX-License-Identifier: Apache-2.0
#include "analysis/by_design.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <variant>

#include "analysis/frame_names.h"
#include "model/poll_calls.h"

namespace loopsnoop::analysis {

namespace {

template <std::size_t n> bool is_one_of(std::string_view name, const std::array<std::string_view, n> &names) {
	return std::ranges::find(names, name) != names.end();
}

struct PythonPlace {
	std::string_view file; // how its path ends
	std::string_view function;
};

bool is_at(const SourceFrame &frame, const PythonPlace &place) {
	return std::string_view(frame.file).ends_with(place.file) && without_class(frame.function) == place.function;
}

template <std::size_t n> bool is_at_one_of(const SourceFrame &frame, const std::array<PythonPlace, n> &places) {
	return std::ranges::any_of(places, [&](const PythonPlace &place) { return is_at(frame, place); });
}

// Where a worker of multiprocessing, concurrent.futures and billiard (Celery's) fetches its next job, and where helpers of
// multiprocessing wait for requests.
constexpr std::array job_places{
    PythonPlace{"/multiprocessing/queues.py", "get"},
    PythonPlace{"/multiprocessing/pool.py", "worker"},
    PythonPlace{"/multiprocessing/forkserver.py", "main"},
    PythonPlace{"/multiprocessing/resource_tracker.py", "main"},
    PythonPlace{"/multiprocessing/managers.py", "serve_forever"},
    PythonPlace{"/concurrent/futures/process.py", "_process_worker"},
    PythonPlace{"/billiard/queues.py", "get"},
    PythonPlace{"/billiard/pool.py", "workloop"},
    PythonPlace{"/billiard/pool.py", "wait_for_job"},
    PythonPlace{"/billiard/pool.py", "_do_exit"},
    PythonPlace{"/billiard/semaphore_tracker.py", "main"},
};

// The outermost function of a process that does jobs: what it computes is a job, and no loop waits meanwhile.
constexpr std::array worker_places{
    PythonPlace{"/multiprocessing/pool.py", "worker"},
    PythonPlace{"/concurrent/futures/process.py", "_process_worker"},
    PythonPlace{"/billiard/pool.py", "workloop"},
};

// Waits of a main thread for what other threads or processes are doing.
constexpr std::array minding_places{
    PythonPlace{"/threading.py", "wait"},
    PythonPlace{"/threading.py", "join"},
    PythonPlace{"/threading.py", "_wait_for_tstate_lock"},
    PythonPlace{"/queue.py", "get"},
    PythonPlace{"/multiprocessing/process.py", "join"},
    PythonPlace{"/multiprocessing/connection.py", "wait"},
    PythonPlace{"/multiprocessing/popen_fork.py", "poll"},
    PythonPlace{"/multiprocessing/popen_fork.py", "wait"},
    PythonPlace{"/multiprocessing/synchronize.py", "wait"},
};

constexpr std::array<std::string_view, 7> library_folders{
    "/multiprocessing/", "/billiard/", "/concurrent/futures/", "/threading.py", "/queue.py", "/selectors.py", "/socket.py",
};

bool is_library_frame(const SourceFrame &frame) {
	return std::ranges::any_of(library_folders,
	                           [&](std::string_view folder) { return frame.file.find(folder) != std::string::npos; });
}

// The innermost frames are a library's, down to where it fetches a job: no code of a job is below.
bool fetches_job(const Stack &stack) {
	for (const SourceFrame &frame : stack.python) {
		if (is_at_one_of(frame, job_places)) {
			return true;
		}
		if (!is_library_frame(frame)) {
			return false;
		}
	}
	return false;
}

bool minds_others(const Stack &stack) {
	for (const SourceFrame &frame : stack.python) {
		if (is_at_one_of(frame, minding_places)) {
			return true;
		}
		if (!is_library_frame(frame)) {
			return false;
		}
	}
	return false;
}

// Calls in which a program waits for whatever comes: signals, or a customer's connection.
constexpr std::array<std::string_view, 5> open_ended_calls{"rt_sigsuspend", "rt_sigtimedwait", "pause", "accept", "accept4"};

constexpr std::array<std::string_view, 4> read_calls{"read", "recvfrom", "recvmsg", "recvmmsg"};

// Internal names of glibc are there with its debug symbols only: without them, the caller is known by name. The launchers of the
// JVM and of C++.
constexpr std::array<std::string_view, 9> thread_ends{
    "pthread_join",        "__pthread_join",       "__pthread_clockjoin_ex", "__pthread_timedjoin_ex",  "pthread_clockjoin_np",
    "std::thread::join()", "ContinueInNewThread0", "ContinueInNewThread",    "CallJavaMainInNewThread",
};

// glibc's and musl's, exported and internal names.
constexpr std::array<std::string_view, 10> notifications{
    "pthread_cond_wait", "pthread_cond_timedwait", "pthread_cond_clockwait", "__pthread_cond_wait", "__pthread_cond_wait_common",
    "sem_wait",          "sem_timedwait",          "sem_clockwait",          "__new_sem_wait",      "__new_sem_wait_slow64",
};

// Of the innermost frames of a lock's wait, which are the C library's: what it is that is waited for.
template <std::size_t n> bool waits_natively_in(const Stack &stack, const std::array<std::string_view, n> &functions) {
	constexpr std::size_t innermost = 6;
	const std::size_t searched = std::min(stack.native.size(), innermost);
	return std::any_of(
	    stack.native.begin(), stack.native.begin() + static_cast<std::ptrdiff_t>(searched), [&](const NativeFrame &frame) {
		    return frame.function &&
		           is_one_of(std::string_view(*frame.function).substr(0, frame.function->find_first_of("@.")), functions);
	    });
}

// What a filter, a terminal's program or a receiver reads next: nobody in particular owes it an answer.
bool reads_input(const Wait &wait) {
	if (!wait.syscall || !is_one_of(*wait.syscall, read_calls) || !wait.resource) {
		return false;
	}
	if (const auto *pipe = std::get_if<PipeResource>(&wait.resource->is)) {
		return pipe->fd == 0;
	}
	if (const auto *file = std::get_if<FileResource>(&wait.resource->is)) {
		const std::string_view path = file->path ? std::string_view(*file->path) : std::string_view();
		return path.starts_with("/dev/pts/") || path.starts_with("/dev/tty") || path.starts_with("anon_inode:");
	}
	const auto *socket = std::get_if<SocketResource>(&wait.resource->is);
	return socket != nullptr && !socket->protocol.starts_with("tcp") && !socket->remote && !socket->peer;
}

// A main thread that has not polled.
bool is_designed(const Wait &wait, const ProcessShape &shape) {
	const bool unknown_to_serve = shape.has_workers || !shape.will_serve;
	if ((wait.syscall && is_one_of(*wait.syscall, open_ended_calls)) || reads_input(wait)) {
		return true;
	}
	// One whose workers serve waits for word from them and for signals: gunicorn's master on its own pipe.
	if (shape.has_workers && wait.syscall && (is_set_poll_call(*wait.syscall) || is_epoll_call(*wait.syscall))) {
		return true;
	}
	if (wait.cause == Cause::child) {
		return unknown_to_serve && !(wait.stack && imports(*wait.stack));
	}
	if (wait.cause == Cause::sleep) {
		return unknown_to_serve;
	}
	if (!wait.stack) {
		return false;
	}
	if (fetches_job(*wait.stack)) {
		return true;
	}
	if (wait.cause == Cause::futex && wait.stack->python.empty()) {
		return waits_natively_in(*wait.stack, thread_ends) || (unknown_to_serve && waits_natively_in(*wait.stack, notifications));
	}
	return unknown_to_serve && !imports(*wait.stack) && minds_others(*wait.stack);
}

bool is_go_runtime(const NativeFrame &frame) {
	return !frame.function || frame.function->starts_with("runtime.") || frame.function->starts_with("runtime/internal/") ||
	       frame.function->starts_with("internal/runtime/");
}

// Threads of a pool, of which one polls at a time: the others wait for their turn.
bool waits_for_turn(const Stack &stack) {
	for (const NativeFrame &frame : stack.native) {
		if (!frame.function) {
			return false;
		}
		const std::string_view name = *frame.function;
		if (name.find("asio::detail::scheduler::") != std::string_view::npos ||
		    name.find("asio::detail::posix_event::") != std::string_view::npos ||
		    name.find("tokio::runtime::") != std::string_view::npos) {
			return true;
		}
		const bool below = (frame.module && (frame.module->find("/libc.") != std::string::npos ||
		                                     frame.module->find("/libpthread") != std::string::npos)) ||
		                   name.starts_with("pthread_") || name.starts_with("__pthread_") || name.starts_with("__futex_") ||
		                   name == "syscall" || name.starts_with("std::") || name.starts_with("core::") ||
		                   name.starts_with("parking_lot") || name.starts_with("<parking_lot") || name.starts_with("boost::");
		if (!below) {
			return false;
		}
	}
	return false;
}

bool polls_own_pipe(const Wait &wait, std::uint32_t pid) {
	const auto *pipe = wait.resource ? std::get_if<PipeResource>(&wait.resource->is) : nullptr;
	return wait.syscall && is_set_poll_call(*wait.syscall) && pipe != nullptr && pipe->peer && pipe->peer->pid == pid;
}

// A thread that has polled as a loop does.
bool is_schedulers(const Wait &wait, const ProcessShape &shape, std::uint32_t pid) {
	if (shape.has_workers && polls_own_pipe(wait, pid)) {
		return true; // a master's own poll call, taken for another one: gunicorn's, on the pipe that its signals write to
	}
	if (wait.cause == Cause::stopped || wait.cause == Cause::page_fault || !wait.stack) {
		return false;
	}
	if (shape.go && (wait.cause == Cause::futex || wait.cause == Cause::sleep || wait.cause == Cause::poll)) {
		return std::ranges::all_of(wait.stack->native, is_go_runtime);
	}
	return wait.cause == Cause::futex && waits_for_turn(*wait.stack);
}

bool main_thread_by_design(const Stall &stall, const ProcessShape &shape) {
	if (stall.cause == Cause::stopped) {
		return false;
	}
	std::uint64_t designed_ns = 0;
	for (const Wait &wait : stall.waits) {
		if (is_designed(wait, shape)) {
			if (wait.ongoing) {
				return true;
			}
			designed_ns += wait.duration_ns;
		}
	}
	const bool does_jobs = std::ranges::any_of(stall.cpu, [](const CpuPart &part) {
		return std::ranges::any_of(part.stack.python,
		                           [](const SourceFrame &frame) { return is_at_one_of(frame, worker_places); });
	});
	return designed_ns * 2 >= stall.duration_ns || (stall.cause == Cause::cpu && does_jobs);
}

bool is_end(const NativeFrame &frame) {
	constexpr std::array<std::string_view, 7> ends{
	    "exit", "__run_exit_handlers", "Py_FinalizeEx", "Py_Finalize", "finalize_modules", "perl_destruct", "ruby_cleanup",
	};
	return frame.function && is_one_of(*frame.function, ends);
}

} // namespace

bool waits_by_design(const Stall &stall, const ProcessShape &shape, std::uint64_t threshold_ns) {
	if (stall.deadlock) {
		return false;
	}
	if (stall.no_loop_yet && !shape.go) {
		return main_thread_by_design(stall, shape);
	}
	std::uint64_t designed_ns = 0;
	bool waited = false;
	for (const Wait &wait : stall.waits) {
		if (is_schedulers(wait, shape, stall.pid)) {
			designed_ns += wait.duration_ns;
		} else {
			waited = waited || wait.duration_ns >= threshold_ns;
		}
	}
	if (shape.go) { // what its threads compute is nobody's loop either
		return !waited;
	}
	return designed_ns > 0 && stall.duration_ns < designed_ns + threshold_ns;
}

bool is_ending(const Stack &stack) {
	constexpr std::array ends{
	    PythonPlace{"/threading.py", "_shutdown"},
	    PythonPlace{"/concurrent/futures/thread.py", "_python_exit"},
	    PythonPlace{"/concurrent/futures/process.py", "_python_exit"},
	    PythonPlace{"/multiprocessing/util.py", "_exit_function"},
	};
	const bool python = std::ranges::any_of(stack.python, [&](const SourceFrame &frame) { return is_at_one_of(frame, ends); });
	return python || std::ranges::any_of(stack.native, is_end) || std::ranges::any_of(stack.kernel, [](const KernelFrame &frame) {
		       return frame.function && (*frame.function == "do_exit" || *frame.function == "do_group_exit");
	       });
}

} // namespace loopsnoop::analysis
