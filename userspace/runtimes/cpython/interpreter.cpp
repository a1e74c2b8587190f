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

// 32 MiB: the states of 10,000 threads, and the frames of most.
constexpr PageCache::Limits of_one_snapshot{8192, std::chrono::seconds(2)};

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

bool is_thread_join(const SourceFrame &frame) {
	// Lib/threading.py: up to 3.12 join() waits in _wait_for_tstate_lock(), since 3.13 in the thread's handle, which is written
	// in C. Qualified names are known since 3.11.
	return frame.file.ends_with("/threading.py") &&
	       (frame.function == "Thread._wait_for_tstate_lock" || frame.function == "_wait_for_tstate_lock" ||
	        frame.function == "Thread.join" || frame.function == "join");
}

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
	const auto gil = interpreter.main_gil();
	if (!gil) {
		return std::nullopt; // >= 3.12 makes its first thread state before the GIL: so early that asking again is better
	}
	interpreter.set_gil(interpreter.offsets_.frames, *gil);
	interpreter.offsets_.frames.tstate_native_id = static_cast<std::uint16_t>(offsets->thread.native_id.value_or(0));
	return interpreter;
}

void Interpreter::set_gil(PythonLayout &layout, std::uint64_t gil) const {
	layout.gil_begin = gil + offsets_.gil.futexes_begin;
	layout.gil_end = gil + offsets_.gil.futexes_end;
	layout.gil_locked = gil + offsets_.gil.locked;
	layout.gil_last_holder = gil + offsets_.gil.last_holder;
}

PythonLayout Interpreter::layout_for(std::uint64_t thread_state) const {
	PythonLayout layout = offsets_.frames;
	const auto interpreter = memory_->read_value<std::uint64_t>(thread_state + offsets_.thread.interpreter);
	if (interpreter && *interpreter != 0) {
		layout.threads_head = *interpreter + offsets_.interpreter.threads_head;
		layout.tstate_next = static_cast<std::uint16_t>(offsets_.thread.next);
	}
	if (const auto gil = interpreter && *interpreter != 0 ? gil_of(*interpreter) : std::nullopt) {
		set_gil(layout, *gil);
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

// The object that is the frame's first local: `self` of a method. Anything, where the thread has gone on.
std::uint64_t Interpreter::first_argument(const process::Memory &memory, const PlacedFrame &frame) const {
	return memory.read_value<std::uint64_t>(frame.address + offsets_.frame.locals).value_or(0) & offsets_.frames.pointer_mask;
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
	if (const auto name = read_attribute(memory, offsets_, first_argument(memory, placed.back()), "_name")) {
		named.name = read_unicode(memory, offsets_, *name, longest);
	}
	return named;
}

std::optional<ImportLock> Interpreter::import_lock(std::uint64_t thread_state, std::uint64_t wakeup) {
	const PageCache pages(*memory_, of_one_snapshot);
	const auto placed = walk_frames(pages, offsets_.frames, thread_state);
	if (placed.empty()) {
		return std::nullopt;
	}
	// Lib/importlib/_bootstrap.py, 3.9 to 3.14: who has to wait does so in _ModuleLock.acquire(), for self.wakeup; self.owner is
	// a thread's ident or None.
	const SourceFrame innermost = codes_.resolve(pages, placed.front().frame);
	if ((innermost.function != "_ModuleLock.acquire" && innermost.function != "acquire") ||
	    innermost.file != "<frozen importlib._bootstrap>") {
		return std::nullopt;
	}
	const std::uint64_t self = first_argument(pages, placed.front());
	if (read_attribute(pages, offsets_, self, "wakeup") != wakeup) {
		return std::nullopt;
	}
	constexpr std::size_t longest = 256;
	const auto owner = read_attribute(pages, offsets_, self, "owner");
	const auto module = read_attribute(pages, offsets_, self, "name");
	auto name = module ? read_unicode(pages, offsets_, *module, longest) : std::nullopt;
	if (!owner || !name) {
		return std::nullopt;
	}
	return ImportLock{std::move(*name), read_small_int(pages, offsets_, *owner).value_or(0)};
}

std::optional<std::uint64_t> Interpreter::joined_thread(std::uint64_t thread_state) {
	const PageCache pages(*memory_, of_one_snapshot);
	const auto placed = walk_frames(pages, offsets_.frames, thread_state);
	if (placed.empty() || !is_thread_join(codes_.resolve(pages, placed.front().frame))) {
		return std::nullopt;
	}
	const auto ident = read_attribute(pages, offsets_, first_argument(pages, placed.front()), "_ident");
	return ident ? read_small_int(pages, offsets_, *ident) : std::nullopt;
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

std::optional<std::uint64_t> Interpreter::gil_of(std::uint64_t interpreter) const {
	if (offsets_.runtime.gil) {
		return location_.runtime + *offsets_.runtime.gil;
	}
	const auto gil = memory_->read_value<std::uint64_t>(interpreter + offsets_.interpreter.gil.value_or(0));
	return gil && *gil != 0 ? gil : std::nullopt;
}

std::optional<std::uint64_t> Interpreter::main_gil() const {
	const auto interpreters = walk_interpreters(*memory_, offsets_, location_.runtime);
	return interpreters.empty() ? std::nullopt : gil_of(interpreters.back());
}

std::vector<AddressRange> Interpreter::gil_ranges() const {
	std::vector<AddressRange> ranges;
	for (const std::uint64_t interpreter : walk_interpreters(*memory_, offsets_, location_.runtime)) {
		const auto gil = gil_of(interpreter);
		if (!gil) {
			continue;
		}
		const AddressRange range{*gil + offsets_.gil.futexes_begin, *gil + offsets_.gil.futexes_end};
		if (std::ranges::find(ranges, range) == ranges.end()) {
			ranges.push_back(range);
		}
	}
	return ranges;
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
	const auto gil = main_gil();
	if (!gil) {
		return std::nullopt;
	}
	const auto holder_now = [&]() -> std::uint64_t {
		const auto locked = memory_->read_value<std::int32_t>(*gil + offsets_.gil.locked);
		return locked == 1 ? memory_->read_value<std::uint64_t>(*gil + offsets_.gil.last_holder).value_or(0) : 0;
	};
	const std::uint64_t holder = holder_now();
	const auto all = threads();
	const auto thread = std::ranges::find(all, holder, &ThreadState::address);
	if (holder == 0 || thread == all.end() || holder_now() != holder) {
		return std::nullopt;
	}
	return GilHolder{holder, thread->thread_id, tid_of(*thread)};
}

} // namespace loopsnoop::runtimes::cpython
