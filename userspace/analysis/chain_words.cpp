// SPDX-License-Identifier: Apache-2.0
#include "analysis/chain_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <variant>

#include "analysis/story.h"
#include "analysis/wait_graph.h"
#include "model/application.h"

namespace loopsnoop::analysis {

namespace {

constexpr std::size_t most_links = 6; // told one by one in a sentence

std::string_view after_slash(std::string_view path) {
	const std::size_t slash = path.rfind('/');
	return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string at(std::string_view file, std::optional<int> line) {
	return line ? fmt::format(" at {}:{}", after_slash(file), *line) : fmt::format(" at {}", after_slash(file));
}

bool is_header(std::string_view file) {
	constexpr std::array<std::string_view, 8> endings{".h", ".hh", ".hpp", ".hxx", ".inl", ".ipp", ".tcc", ".inc"};
	return std::ranges::any_of(endings, [&](std::string_view ending) { return file.ends_with(ending); });
}

std::string holder_words(const Holder &holder) {
	return fmt::format("{}held by {} (tid {})", holder.inferred ? "probably " : "",
	                   holder.thread.empty() ? "a thread" : holder.thread, holder.tid);
}

std::string waits_for(const FutexResource &lock) {
	if (lock.type == thread_end) {
		return fmt::format("waits for the end of {} (tid {})", lock.holder->thread.empty() ? "a thread" : lock.holder->thread,
		                   lock.holder->tid);
	}
	return fmt::format("waits for {} {}", lock_words(lock), holder_words(*lock.holder));
}

} // namespace

std::string name_words(const ThreadView &thread) {
	return fmt::format("{} (tid {})", thread.thread.empty() ? "a thread" : thread.thread, thread.tid);
}

std::string lock_words(const FutexResource &lock) {
	if (lock.type == thread_end) {
		return "the end of a thread";
	}
	// The kinds of mutexes differ in nothing that the one who waits would do about them.
	if (lock.type && lock.lock != LockKind::gil && lock.lock != LockKind::pthread_mutex) {
		const bool is_name = lock.type->starts_with("logging.");
		const bool is_only = lock.type->starts_with("import lock");
		return (is_name ? "" : is_only ? "the " : "a ") + *lock.type;
	}
	switch (lock.lock) {
	case LockKind::gil: return "Python's GIL";
	case LockKind::pthread_mutex: return "a mutex";
	case LockKind::python_lock: return "a Python lock";
	case LockKind::unknown: break;
	}
	return "a lock";
}

std::string place_words(const ThreadView &thread) { return thread.stack ? place_words(*thread.stack) : std::string(); }

std::string place_words(const Stack &stack) {
	for (const std::vector<SourceFrame> *frames : {&stack.python, &stack.javascript}) {
		if (const SourceFrame *frame = innermost_application_frame(*frames); frame != nullptr && !frame->file.empty()) {
			return at(frame->file, frame->line);
		}
		if (!frames->empty()) {
			return {}; // native frames under an interpreter are the interpreter's
		}
	}
	const NativeFrame *frame = innermost_application_frame(stack.native);
	if (frame == nullptr) {
		return {};
	}
	if (frame->file && !is_header(*frame->file)) {
		return at(*frame->file, frame->line);
	}
	// A line of a header is that of a small function which is called, or inlined, in many places: what calls it says more.
	const auto caller = std::ranges::find_if(
	    stack.native, [](const NativeFrame &one) { return is_application_frame(one) && one.file && !is_header(*one.file); });
	if (frame->file && caller != stack.native.end()) {
		return at(*caller->file, caller->line);
	}
	return frame->function ? fmt::format(" in {}()", *frame->function) : std::string();
}

std::string doing_words(const ThreadView &thread) {
	switch (thread.state) {
	case ThreadView::State::running: return "is running";
	case ThreadView::State::runnable: return "is ready to run, but has no CPU";
	case ThreadView::State::stopped: return "is stopped by a signal, a debugger or the freezer";
	case ThreadView::State::sleeping:
	case ThreadView::State::disk_sleep: break;
	}
	if (thread.moved) {
		return "ran on while it was looked at";
	}
	const auto *pipe = thread.resource ? std::get_if<PipeResource>(&thread.resource->is) : nullptr;
	if (pipe != nullptr && (thread.syscall == "write" || thread.syscall == "writev")) {
		const std::string what = pipe->path ? "FIFO " + *pipe->path : "pipe";
		return fmt::format("is in {}() to a full {}", *thread.syscall, what) +
		       (pipe->peer ? fmt::format(" read by {} (pid {})", pipe->peer->comm, pipe->peer->pid) : std::string());
	}
	Wait wait;
	wait.cause = thread.cause.value_or(Cause::other);
	wait.syscall = thread.syscall;
	wait.resource = thread.resource;
	return "is " + describe_wait(wait);
}

std::string tell_chain(const std::vector<const ThreadView *> &links) {
	if (links.empty() || held_lock(*links.front()) == nullptr) {
		return {};
	}
	const auto is_link = [&](std::uint32_t tid) {
		return std::find_if(links.begin(), links.end(), [&](const ThreadView *link) { return link->tid == tid; });
	};
	std::string text;
	const std::size_t cut = links.size() > most_links ? links.size() - most_links : 0;
	for (std::size_t i = 0; i < links.size(); i++) {
		constexpr std::size_t shown_first = most_links / 2;
		if (cut > 0 && i >= shown_first && i < shown_first + cut) {
			text += i == shown_first ? fmt::format(", which waits, over {} more threads, for one that", cut) : "";
			continue;
		}
		const bool after_cut = cut > 0 && i == shown_first + cut;
		text += i == 0 ? "" : after_cut ? " " : ", which ";
		const FutexResource *lock = held_lock(*links[i]);
		if (lock == nullptr) {
			text += doing_words(*links[i]);
			continue;
		}
		text += waits_for(*lock);
		const auto holder = is_link(lock->holder->tid);
		if (holder != links.end()) {
			text += place_words(**holder);
		} else {
			text += ", which is no thread of this process";
		}
	}
	return text;
}

} // namespace loopsnoop::analysis
