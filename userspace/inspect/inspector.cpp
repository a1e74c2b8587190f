// SPDX-License-Identifier: Apache-2.0
#include "inspect/inspector.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include "base/clock.h"
#include "collector/live_call.h"
#include "model/settings.h"
#include "process/memory.h"

namespace loopsnoop::inspect {

namespace {

constexpr std::uint64_t page_bytes = 4096;

bool is_asleep(const ThreadSnapshot &snapshot) { return !snapshot.running && snapshot.stack.have_registers; }

// In pieces that end at page boundaries: what lies behind the last page of a stack cannot be read.
std::vector<std::uint8_t> read_stack_bytes(const process::Memory &memory, std::uint64_t address, std::size_t most) {
	std::vector<std::uint8_t> bytes(most + page_bytes - address % page_bytes);
	const std::size_t n = memory.read_some(address, std::as_writable_bytes(std::span(bytes)));
	bytes.resize(n);
	bytes.shrink_to_fit();
	return bytes;
}

} // namespace

void Inspector::read_stack(ThreadSnapshot &snapshot) {
	if (!is_asleep(snapshot)) {
		return;
	}
	if (snapshot.stack.stack_bytes.empty()) {
		const process::TargetMemory memory(snapshot.pid);
		snapshot.stack.stack_address = snapshot.stack.registers.sp();
		snapshot.stack.stack_bytes = read_stack_bytes(memory, snapshot.stack.stack_address, stack_bytes_);
	}
	read_python(snapshot);
}

void Inspector::complete_stack(RawStack &stack) {
	constexpr std::size_t whole = Settings::max_stack_bytes;
	if (stack.stack_bytes.empty() || stack.stack_bytes.size() >= whole) {
		return;
	}
	std::vector<std::uint8_t> bytes = read_stack_bytes(process::TargetMemory(stack.pid), stack.stack_address, whole);
	if (bytes.size() > stack.stack_bytes.size() &&
	    std::equal(stack.stack_bytes.begin(), stack.stack_bytes.end(), bytes.begin())) {
		stack.stack_bytes = std::move(bytes);
	}
}

const Inspector::Snapshot *Inspector::snapshot_of(std::uint32_t pid) {
	auto *interpreter = programs_.interpreter(pid);
	if (interpreter == nullptr) {
		return nullptr;
	}
	if (snapshot_ == nullptr || snapshot_->pid != pid) {
		snapshot_ = std::make_unique<Snapshot>(pid);
		snapshot_->threads = interpreter->threads(snapshot_->pages);
	}
	return snapshot_.get();
}

// Reads the stacks of these threads of one process in a few questions in place of one for each.
void Inspector::read_stacks(std::span<ThreadSnapshot *const> snapshots) const {
	std::vector<process::Memory::Piece> pieces;
	std::vector<RawStack *> stacks;
	for (ThreadSnapshot *snapshot : snapshots) {
		RawStack &stack = snapshot->stack;
		if (!is_asleep(*snapshot) || !stack.stack_bytes.empty()) {
			continue;
		}
		stacks.push_back(&stack);
		stack.stack_address = stack.registers.sp();
		stack.stack_bytes.resize(stack_bytes_ + page_bytes - stack.stack_address % page_bytes);
		std::span left = std::as_writable_bytes(std::span(stack.stack_bytes));
		for (std::uint64_t at = stack.stack_address; !left.empty();) {
			const std::size_t bytes = std::min<std::size_t>(left.size(), page_bytes - at % page_bytes);
			pieces.push_back({at, left.first(bytes), false});
			left = left.subspan(bytes);
			at += bytes;
		}
	}
	if (stacks.empty()) {
		return;
	}
	process::TargetMemory(stacks.front()->pid).read_many(pieces);
	std::span read = pieces;
	for (RawStack *stack : stacks) {
		std::size_t whole = 0; // up to the first page that could not be read: what lies behind it is another's
		const std::size_t wanted = stack->stack_bytes.size();
		bool all = true;
		for (std::size_t bytes = 0; bytes < wanted; read = read.subspan(1)) {
			bytes += read.front().into.size();
			all = all && read.front().read;
			whole += all ? read.front().into.size() : 0;
		}
		stack->stack_bytes.resize(whole);
		stack->stack_bytes.shrink_to_fit();
	}
}

// The same for what their frames of Python need.
void Inspector::prefetch_python(std::span<const ThreadSnapshot> snapshots) {
	const Snapshot *known = snapshot_of(snapshots.front().pid);
	if (known == nullptr) {
		return;
	}
	std::vector<std::uint64_t> states;
	for (const ThreadSnapshot &snapshot : snapshots) {
		const auto state = std::ranges::find(known->threads, snapshot.thread_pointer, &runtimes::cpython::ThreadState::thread_id);
		if (state != known->threads.end()) {
			states.push_back(state->address);
		}
	}
	if (auto *interpreter = programs_.interpreter(known->pid)) { // the process may be another by now
		interpreter->prefetch(known->pages, states);
	}
}

void Inspector::read_python(ThreadSnapshot &snapshot) {
	auto *interpreter = programs_.interpreter(snapshot.pid);
	if (interpreter == nullptr) {
		return;
	}
	const Snapshot *known = snapshot_of(snapshot.pid);
	if (known == nullptr) {
		return; // the process is another by now
	}
	if (const auto state = interpreter->thread_state(snapshot.tid, snapshot.thread_pointer, known->threads, known->pages)) {
		auto named = interpreter->named_frames(*state, known->pages);
		snapshot.thread = named.name.value_or(snapshot.thread);
		snapshot.stack.python = std::move(named.frames);
	}
}

std::vector<std::vector<SourceFrame>> Inspector::moments(std::uint32_t pid, std::uint32_t tid, std::size_t most,
                                                         std::uint64_t budget_ns) {
	std::vector<std::vector<SourceFrame>> found;
	auto *interpreter = programs_.interpreter(pid);
	const auto state = interpreter != nullptr ? interpreter->thread_state(tid, 0) : std::nullopt;
	const std::uint64_t until_ns = monotonic_ns() + budget_ns;
	for (std::size_t i = 0; state && i < most && monotonic_ns() < until_ns; i++) {
		if (const auto frames = interpreter->frames(*state); !frames.empty()) {
			found.push_back(interpreter->resolve(frames));
		}
	}
	return found;
}

RawWait Inspector::wait(const ThreadSnapshot &snapshot) const {
	RawWait wait;
	wait.pid = snapshot.pid;
	wait.tid = snapshot.tid;
	wait.syscall = snapshot.syscall;
	wait.start_ns = snapshot.off_since_ns;
	wait.off_ns =
	    snapshot.off_since_ns != 0 && snapshot.now_ns > snapshot.off_since_ns ? snapshot.now_ns - snapshot.off_since_ns : 0;
	wait.end_ns = snapshot.now_ns;
	wait.count = 1;
	wait.ongoing = true;
	auto call = collector::read_live_call(snapshot, proc_, process::TargetMemory(snapshot.pid));
	wait.cause = call.cause;
	wait.target = std::move(call.target);
	wait.stack = snapshot.stack;
	return wait;
}

namespace {

// What a name takes in a record: JSON has six bytes for a control character.
std::size_t bytes_in_json(std::string_view name) {
	const auto control = std::ranges::count_if(name, [](char c) { return static_cast<unsigned char>(c) < ' '; });
	return name.size() + 5 * static_cast<std::size_t>(control);
}

std::size_t bytes_in_json(const Stack &stack) {
	std::size_t bytes = 0;
	for (const auto *frames : {&stack.python, &stack.javascript}) {
		for (const SourceFrame &frame : *frames) {
			bytes += bytes_in_json(frame.function) + bytes_in_json(frame.file);
		}
	}
	for (const NativeFrame &frame : stack.native) {
		bytes += frame.function ? bytes_in_json(*frame.function) : 0;
		bytes += frame.file ? bytes_in_json(*frame.file) : 0;
	}
	return bytes;
}

void keep_innermost(ThreadView &view, std::size_t most) {
	const auto cut = [&](auto &frames) {
		if (frames.size() > most) {
			view.frames_left_out += frames.size() - most;
			frames.resize(most);
		}
	};
	view.stack->native_truncated = view.stack->native_truncated || view.stack->native.size() > most;
	cut(view.stack->python);
	cut(view.stack->javascript);
	cut(view.stack->native);
}

// Of a hundred threads with a hundred frames of long names each, a report would hold hundreds of megabytes and be cut to one when
// it is written. Beyond some megabytes of names a stack keeps its innermost frames, beyond some more the innermost one; the rest
// is counted.
struct NamesBudget {
	std::size_t whole = std::size_t{8} << 20; // bytes
	std::size_t few = std::size_t{4} << 20;

	void bound(ThreadView &view) {
		if (!view.stack) {
			return;
		}
		const std::size_t bytes = bytes_in_json(*view.stack);
		if (bytes <= whole) {
			whole -= bytes;
			return;
		}
		whole = 0;
		keep_innermost(view, 8);
		const std::size_t left = bytes_in_json(*view.stack);
		if (left > few) {
			keep_innermost(view, 1);
		}
		few -= std::min(few, left);
	}
};

} // namespace

std::vector<ThreadView> Inspector::views(std::span<const ThreadSnapshot> snapshots, std::optional<std::uint32_t> own) {
	constexpr std::size_t with_native_stack = 64;
	constexpr std::size_t always_whole = 256; // as many as a record has
	// Ten thousand threads take a second and more: a session has other loops to watch.
	const std::uint64_t whole_for_ns = own ? 200'000'000 : 3'000'000'000;
	constexpr std::size_t at_once = 32; // bounds what is held of their memory
	NamesBudget names;
	std::vector<ThreadView> views;
	views.reserve(snapshots.size());
	const std::uint64_t until_ns = monotonic_ns() + whole_for_ns;
	std::size_t whole = 0; // so many, from the first on; the others are brief
	for (bool all = true; all && whole < snapshots.size(); all = whole < always_whole || monotonic_ns() < until_ns) {
		const auto some = snapshots.subspan(whole, std::min(snapshots.size() - whole, at_once));
		std::vector<ThreadSnapshot> batch(some.begin(), some.end());
		if (snapshot_ != nullptr && !views.empty()) {
			snapshot_->pages.clear();
		}
		std::vector<ThreadSnapshot *> native;
		for (ThreadSnapshot &snapshot : batch) {
			if (!own || snapshot.tid == own || whole < with_native_stack) { // which is a multiple of a batch
				native.push_back(&snapshot);
			}
		}
		read_stacks(native);
		prefetch_python(batch);
		for (ThreadSnapshot &snapshot : batch) {
			const bool with_native = std::ranges::find(native, &snapshot) != native.end();
			const bool is_own = snapshot.tid == own;
			views.push_back(view(std::move(snapshot), with_native));
			if (!is_own) {
				names.bound(views.back());
			}
		}
		whole += some.size();
	}
	for (const ThreadSnapshot &snapshot : snapshots.subspan(whole)) {
		views.push_back(brief_view(snapshot));
	}
	if (whole < snapshots.size()) {
		complete_chain(snapshots, views, whole, own);
	}
	return views;
}

// The threads that count most, the loop's and those that hold it up one after the other, are whole wherever they come.
void Inspector::complete_chain(std::span<const ThreadSnapshot> snapshots, std::vector<ThreadView> &views, std::size_t whole,
                               std::optional<std::uint32_t> own) {
	constexpr std::size_t most = 16;
	std::optional<std::uint32_t> next = own;
	for (std::size_t i = 0; i < most && next; ++i) {
		const auto at = std::ranges::find(views, *next, &ThreadView::tid);
		if (at == views.end()) {
			return;
		}
		if (const auto index = static_cast<std::size_t>(at - views.begin()); index >= whole) {
			*at = view(snapshots[index], true);
		}
		const auto *lock = at->resource ? std::get_if<FutexResource>(&at->resource->is) : nullptr;
		next = lock != nullptr && lock->holder ? std::optional(lock->holder->tid) : std::nullopt;
	}
}

// What the kernel showed of it, without reading its memory.
ThreadView Inspector::brief_view(const ThreadSnapshot &snapshot) {
	ThreadView view;
	view.tid = snapshot.tid;
	view.state = snapshot.state;
	view.thread = snapshot.thread;
	if (is_asleep(snapshot)) {
		if (snapshot.off_since_ns != 0 && snapshot.now_ns >= snapshot.off_since_ns) {
			view.waited_ns = snapshot.now_ns - snapshot.off_since_ns;
		}
		view.syscall = Resolver::syscall_text(snapshot.syscall);
	}
	return view;
}

ThreadView Inspector::view(ThreadSnapshot snapshot, bool with_native_stack) {
	ThreadView view;
	view.tid = snapshot.tid;
	view.state = snapshot.state;
	if (!is_asleep(snapshot)) {
		read_python(snapshot); // its frames move, its name does not
		view.thread = snapshot.thread;
		return view;
	}
	if (snapshot.off_since_ns != 0 && snapshot.now_ns >= snapshot.off_since_ns) {
		view.waited_ns = snapshot.now_ns - snapshot.off_since_ns;
	}
	if (with_native_stack) {
		read_stack(snapshot);
	} else {
		read_python(snapshot);
	}
	view.thread = snapshot.thread;
	const RawWait raw = wait(snapshot);
	Cause cause = raw.cause;
	view.resource = resolver_.resource(snapshot.pid, raw.target, cause);
	view.cause = cause;
	view.syscall = Resolver::syscall_text(snapshot.syscall);
	resolver_.view_file_lock(snapshot.pid, view.syscall, raw.target, view.resource);
	if (!with_native_stack) {
		snapshot.stack.have_registers = false;
		snapshot.stack.stack_bytes.clear();
	}
	view.stack = resolver_.stack(snapshot.stack);
	resolver_.view_lock(snapshot.stack, *view.stack, view.resource);
	return view;
}

} // namespace loopsnoop::inspect
