// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/waiting_frames.h"

#include <utility>

#include "runtimes/cpython/attributes.h"
#include "runtimes/cpython/object_reader.h"
#include "runtimes/cpython/objects.h"
#include "runtimes/cpython/page_cache.h"
#include "runtimes/cpython/walk.h"

namespace loopsnoop::runtimes::cpython {

bool is_thread_join(const SourceFrame &frame) {
	// Lib/threading.py: up to 3.12 join() waits in _wait_for_tstate_lock(), since 3.13 in the thread's handle, which is written
	// in C. Qualified names are known since 3.11.
	return frame.file.ends_with("/threading.py") &&
	       (frame.function == "Thread._wait_for_tstate_lock" || frame.function == "_wait_for_tstate_lock" ||
	        frame.function == "Thread.join" || frame.function == "join");
}

std::optional<ImportLock> import_lock(const Interpreter::View &python, std::uint64_t thread_state, std::uint64_t wakeup) {
	const PageCache pages(python.memory, of_one_snapshot);
	const auto placed = walk_frames(pages, python.offsets.frames, thread_state);
	if (placed.empty()) {
		return std::nullopt;
	}
	// Lib/importlib/_bootstrap.py, 3.9 to 3.14: who has to wait does so in _ModuleLock.acquire(), for self.wakeup; self.owner is
	// a thread's ident or None.
	const SourceFrame innermost = python.codes.resolve(pages, placed.front().frame);
	if ((innermost.function != "_ModuleLock.acquire" && innermost.function != "acquire") ||
	    innermost.file != "<frozen importlib._bootstrap>") {
		return std::nullopt;
	}
	const std::uint64_t self = first_argument(pages, python.offsets, placed.front());
	if (read_attribute(pages, python.offsets, self, "wakeup") != wakeup) {
		return std::nullopt;
	}
	constexpr std::size_t longest = 256;
	const auto owner = read_attribute(pages, python.offsets, self, "owner");
	const auto module = read_attribute(pages, python.offsets, self, "name");
	auto name = module ? read_unicode(pages, python.offsets, *module, longest) : std::nullopt;
	if (!owner || !name) {
		return std::nullopt;
	}
	return ImportLock{std::move(*name), read_small_int(pages, python.offsets, *owner).value_or(0)};
}

std::optional<std::uint64_t> joined_thread(const Interpreter::View &python, std::uint64_t thread_state) {
	const PageCache pages(python.memory, of_one_snapshot);
	const auto placed = walk_frames(pages, python.offsets.frames, thread_state);
	if (placed.empty() || !is_thread_join(python.codes.resolve(pages, placed.front().frame))) {
		return std::nullopt;
	}
	const auto ident = read_attribute(pages, python.offsets, first_argument(pages, python.offsets, placed.front()), "_ident");
	return ident ? read_small_int(pages, python.offsets, *ident) : std::nullopt;
}

std::optional<QueueFill> full_queue(const Interpreter::View &python, std::uint64_t thread_state) {
	const PageCache pages(python.memory, of_one_snapshot);
	const auto placed = walk_frames(pages, python.offsets.frames, thread_state);
	// Lib/queue.py, all versions: put() waits in self.not_full.wait() while len(self.queue) >= self.maxsize.
	constexpr std::size_t put = 1;
	if (placed.size() <= put) {
		return std::nullopt;
	}
	const SourceFrame frame = python.codes.resolve(pages, placed[put].frame);
	if (!frame.file.ends_with("/queue.py") || (frame.function != "Queue.put" && frame.function != "put")) {
		return std::nullopt;
	}
	ObjectReader reader(pages, python.offsets);
	const std::uint64_t self = first_argument(pages, python.offsets, placed[put]);
	const auto max = reader.integer(reader.attribute(self, "maxsize").value_or(0));
	const auto items = reader.size(reader.attribute(self, "queue").value_or(0));
	return max && items && *max > 0 && *items >= *max ? std::optional(QueueFill{*items, *max}) : std::nullopt;
}

} // namespace loopsnoop::runtimes::cpython
