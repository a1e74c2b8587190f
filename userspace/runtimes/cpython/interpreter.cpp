// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/interpreter.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "arch/cpu.h"
#include "runtimes/cpython/attributes.h"
#include "runtimes/cpython/objects.h"
#include "runtimes/cpython/with_blocks.h"

namespace loopsnoop::runtimes::cpython {

namespace {

// Both C libraries begin a thread's control block, where the fs base points, with its own address (glibc tcbhead_t.tcb,
// sysdeps/x86_64/nptl/tls.h; musl struct pthread.self, src/internal/pthread_impl.h).
bool is_control_block(const process::Memory &memory, std::uint64_t thread_id) {
	return thread_id != 0 && memory.read_value<std::uint64_t>(thread_id) == thread_id;
}

// A version's table may not hold for a build that was patched, and a symbol may lie: what the offsets lead to must look like
// threads before anything is believed.
bool leads_to_threads(const process::Memory &memory, const Offsets &offsets, std::uint64_t runtime) {
	const auto threads = walk_threads(PageCache(memory, of_one_snapshot), offsets, runtime);
	return std::ranges::any_of(threads, [&](const ThreadState &thread) { return is_control_block(memory, thread.thread_id); });
}

} // namespace

Interpreter::Interpreter(process::ProcFs proc, std::uint32_t pid, std::unique_ptr<process::Memory> memory,
                         const Location &location, const Offsets &offsets)
    : proc_(std::move(proc)), pid_(pid), memory_(std::move(memory)), location_(location), offsets_(offsets),
      codes_(offsets, location.code_type) {}

std::optional<Interpreter> Interpreter::find(const process::ProcFs &proc, std::uint32_t pid, FilesWithout *without) {
	auto memory = std::make_unique<process::TargetMemory>(pid);
	const auto location = locate(proc, pid, *memory, without);
	return location ? at(proc, pid, std::move(memory), *location) : std::nullopt;
}

std::optional<Interpreter> Interpreter::at(const process::ProcFs &proc, std::uint32_t pid,
                                           std::unique_ptr<process::Memory> memory, const Location &location) {
	std::optional<Offsets> offsets;
	if (const auto described = self_described(*memory, location.runtime)) {
		offsets = described->offsets;
	} else {
		offsets = offsets_of(location.version);
	}
	if (!offsets || !leads_to_threads(*memory, *offsets, location.runtime)) {
		return std::nullopt;
	}
	Interpreter interpreter(proc, pid, std::move(memory), location, *offsets);
	const auto gil = interpreter.gils().of_main();
	if (!gil) {
		return std::nullopt; // >= 3.12 makes its first thread state before the GIL: so early that asking again is better
	}
	interpreter.gils().place(interpreter.offsets_.frames, *gil);
	interpreter.offsets_.frames.tstate_native_id = static_cast<std::uint16_t>(offsets->thread.native_id.value_or(0));
	return interpreter;
}

PythonLayout Interpreter::layout_for(std::uint64_t thread_state) const {
	PythonLayout layout = offsets_.frames;
	const auto interpreter = memory_->read_value<std::uint64_t>(thread_state + offsets_.thread.interpreter);
	if (interpreter && *interpreter != 0) {
		layout.threads_head = *interpreter + offsets_.interpreter.threads_head;
		layout.tstate_next = static_cast<std::uint16_t>(offsets_.thread.next);
	}
	if (const auto gil = interpreter && *interpreter != 0 ? gils().of(*interpreter) : std::nullopt) {
		gils().place(layout, *gil);
	}
	return layout;
}

std::uint64_t Interpreter::native_id(const process::Memory &memory, const ThreadState &thread) const {
	if (thread.native_id != 0) {
		return thread.native_id;
	}
	// Before 3.11. With another C library this is some other number: the caller compares it with ids of real threads.
	return is_control_block(memory, thread.thread_id)
	           ? memory.read_value<std::uint32_t>(thread.thread_id + arch::glibc_tid_offset).value_or(0)
	           : 0;
}

std::vector<ThreadState> Interpreter::threads() const { return threads(PageCache(*memory_, of_one_snapshot)); }

SourceFrame Interpreter::View::begin_of(const process::Memory &now, std::uint64_t code) const {
	constexpr std::uint64_t first_unit = 0;
	const bool index = offsets.frames.instruction_is_index;
	return codes.resolve(now, {code, index ? first_unit : code + offsets.code.instructions.value_or(0)});
}

std::optional<std::uint64_t> Interpreter::thread_state(std::uint32_t tid, std::uint64_t thread_pointer) const {
	const PageCache pages(*memory_, of_one_snapshot);
	return thread_state(tid, thread_pointer, threads(pages), pages);
}

std::optional<std::uint64_t> Interpreter::thread_state(std::uint32_t tid, std::uint64_t thread_pointer,
                                                       std::span<const ThreadState> among) const {
	return thread_state(tid, thread_pointer, among, PageCache(*memory_, of_one_snapshot));
}

std::optional<std::uint64_t> Interpreter::thread_state(std::uint32_t tid, std::uint64_t thread_pointer,
                                                       std::span<const ThreadState> among, const process::Memory &memory) const {
	std::uint64_t inner_tid = 0;
	if (thread_pointer == 0) {
		const auto status = proc_.status(tid);
		if (!status || status->nspids.empty()) {
			return std::nullopt;
		}
		inner_tid = status->nspids.back();
	}
	std::optional<std::uint64_t> found;
	for (const ThreadState &thread : among) {
		if (thread_pointer != 0 ? thread.thread_id != thread_pointer : native_id(memory, thread) != inner_tid) {
			continue;
		}
		if (current_frame(memory, offsets_.frames, thread.address) != 0) {
			return thread.address;
		}
		found = thread.address; // the last is of the oldest interpreter: the main one
	}
	return found;
}

std::vector<PythonFrameRef> Interpreter::frames(std::uint64_t thread_state) const {
	std::vector<PythonFrameRef> found;
	for (const PlacedFrame &placed : walk_frames(PageCache(*memory_, of_one_snapshot), offsets_.frames, thread_state)) {
		found.push_back(placed.frame);
	}
	return found;
}

void Interpreter::prefetch(const PageCache &pages, std::span<const std::uint64_t> thread_states) const {
	constexpr std::size_t of_a_struct = 512; // the members that walks ask for lie in the first bytes
	const auto follow = [&](std::vector<std::uint64_t> &addresses, std::uint64_t offset) {
		for (std::uint64_t &address : addresses) {
			address = pages.read_value<std::uint64_t>(address + offset).value_or(0);
		}
		std::erase(addresses, 0);
		pages.prefetch(addresses, of_a_struct);
	};
	std::vector<std::uint64_t> addresses(thread_states.begin(), thread_states.end());
	pages.prefetch(addresses, of_a_struct);
	follow(addresses, offsets_.frames.tstate_frame);
	if (offsets_.frames.through_cframe) {
		follow(addresses, offsets_.frames.cframe_current_frame);
	}
}

Interpreter::NamedFrames Interpreter::named_frames(std::uint64_t thread_state) {
	return named_frames(thread_state, PageCache(*memory_, of_one_snapshot));
}

Interpreter::NamedFrames Interpreter::named_frames(std::uint64_t thread_state, const process::Memory &memory) {
	NamedFrames named;
	const auto placed = walk_frames(memory, offsets_.frames, thread_state);
	for (const PlacedFrame &one : placed) {
		named.frames.push_back(one.frame);
	}
	if (placed.empty()) {
		return named;
	}
	// Every thread that threading begins, those of executors, too, begins there (Lib/threading.py, all versions).
	const SourceFrame outermost = codes_.resolve(memory, placed.back().frame);
	if ((outermost.function != "Thread._bootstrap" && outermost.function != "_bootstrap") ||
	    !outermost.file.ends_with("/threading.py")) {
		return named;
	}
	constexpr std::size_t longest = 64;
	if (const auto name = read_attribute(memory, offsets_, first_argument(memory, offsets_, placed.back()), "_name")) {
		named.name = read_unicode(memory, offsets_, *name, longest);
	}
	return named;
}

std::multimap<std::uint64_t, std::uint32_t> Interpreter::threads_in_with(const std::set<std::uint64_t> &objects) const {
	constexpr auto enough = std::chrono::milliseconds(100);
	const auto until = std::chrono::steady_clock::now() + enough;
	std::multimap<std::uint64_t, std::uint32_t> found;
	const PageCache pages(*memory_, of_one_snapshot);
	for (const ThreadState &thread : threads(pages)) {
		const auto frames = walk_frames(pages, offsets_.frames, thread.address);
		const auto in_with = objects_in_with(pages, offsets_, frames, objects);
		const auto tid = in_with.empty() ? std::nullopt : tid_of(thread);
		for (const std::uint64_t object : tid ? in_with : std::set<std::uint64_t>()) {
			found.emplace(object, *tid);
		}
		if (std::chrono::steady_clock::now() > until) {
			break;
		}
	}
	return found;
}

std::vector<SourceFrame> Interpreter::resolve(std::span<const PythonFrameRef> frames) {
	const PageCache pages(*memory_, of_one_snapshot);
	codes_.prefetch(pages, frames);
	std::vector<SourceFrame> resolved;
	resolved.reserve(frames.size());
	for (const PythonFrameRef &frame : frames) {
		resolved.push_back(codes_.resolve(pages, frame));
	}
	std::erase_if(resolved, is_init_cleanup);
	return resolved;
}

std::optional<std::uint32_t> Interpreter::tid_of(const ThreadState &thread) const {
	const std::uint64_t inner_tid = native_id(thread);
	if (inner_tid == 0) {
		return std::nullopt;
	}
	// Mostly the target shares our PID namespace: one look instead of one a thread.
	const auto same = static_cast<std::uint32_t>(inner_tid);
	if (const auto status = proc_.status(same); status && status->tgid == pid_ && status->nspids.back() == inner_tid) {
		return same;
	}
	for (const process::ThreadEntry &task : proc_.threads(pid_)) {
		const auto status = proc_.status(task.tid);
		if (status && status->nspids.back() == inner_tid) {
			return task.tid;
		}
	}
	return std::nullopt;
}

std::optional<GilHolder> Interpreter::gil_holder() const {
	const auto gil = gils().of_main();
	if (!gil) {
		return std::nullopt;
	}
	const std::uint64_t holder = gils().holder(*gil);
	const auto all = threads();
	const auto thread = std::ranges::find(all, holder, &ThreadState::address);
	if (holder == 0 || thread == all.end() || gils().holder(*gil) != holder) {
		return std::nullopt;
	}
	return GilHolder{holder, thread->thread_id, tid_of(*thread)};
}

} // namespace loopsnoop::runtimes::cpython
