// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "model/capture.h"
#include "model/python_layout.h"
#include "model/stack.h"
#include "process/memory.h"
#include "process/procfs.h"
#include "runtimes/cpython/code_cache.h"
#include "runtimes/cpython/gils.h"
#include "runtimes/cpython/locate.h"
#include "runtimes/cpython/offsets.h"
#include "runtimes/cpython/page_cache.h"
#include "runtimes/cpython/walk.h"

namespace loopsnoop::runtimes::cpython {

struct GilHolder {
	std::uint64_t thread_state = 0;
	std::uint64_t thread_id = 0;      // pthread_self(), which is the fs base
	std::optional<std::uint32_t> tid; // in our PID namespace; nullopt: could not be told
};

// The CPython of one process, read from outside while it runs; nothing is stopped or written. Holds for the process as it was
// when `find` looked: after exec(), find anew. One thread at a time.
class Interpreter {
public:
	// nullopt: not a CPython of `supported_versions` (with a GIL, not a debug build), not initialised yet, or not ours to read.
	// Worth another try while the process is starting, or has only just loaded libpython. Takes some milliseconds, or, of a file
	// of which `without` knows already that there is no Python in it, next to nothing.
	[[nodiscard]] static std::optional<Interpreter> find(const process::ProcFs &proc, std::uint32_t pid,
	                                                     FilesWithout *without = nullptr);
	// The same with the symbols looked up already. nullopt: what lies there is no interpreter of that version, or not yet.
	[[nodiscard]] static std::optional<Interpreter> at(const process::ProcFs &proc, std::uint32_t pid,
	                                                   std::unique_ptr<process::Memory> memory, const Location &location);

	[[nodiscard]] std::string version() const { return location_.version.text(); } // "3.11.2"; "3.9" when that is all there is
	[[nodiscard]] VersionFrom version_from() const { return location_.version_from; }
	// For the kernel side. gil_begin and gil_end are of the main interpreter.
	[[nodiscard]] const PythonLayout &layout() const { return offsets_.frames; }

	// The same with the GIL of the interpreter that this thread state belongs to: sub-interpreters of 3.12 and later may have one
	// of their own. That of the main interpreter where it cannot be told.
	[[nodiscard]] PythonLayout layout_for(std::uint64_t thread_state) const;

	// For whoever reads objects: asyncio/, trio/, waiting_frames.h. Holds as long as this.
	struct View {
		const process::Memory &memory;
		const Offsets &offsets;
		CodeCache &codes;
		std::uint64_t runtime; // address of _PyRuntime
		const Version &version;

		// Where the function of a code object begins.
		[[nodiscard]] SourceFrame begin_of(const process::Memory &now, std::uint64_t code) const;
	};
	[[nodiscard]] View view() { return {*memory_, offsets_, codes_, location_.runtime, location_.version}; }

	// One walk over all interpreters' threads.
	[[nodiscard]] std::vector<ThreadState> threads() const;
	// The PyThreadState of a thread: by the fs base, or, where that is 0 (not known), by the thread's id. With several
	// interpreters the one that runs Python code. nullopt: the thread has none (now).
	[[nodiscard]] std::optional<std::uint64_t> thread_state(std::uint32_t tid, std::uint64_t thread_pointer) const;

	// The same for many threads of one moment, of one walk: each walk reads every thread.
	[[nodiscard]] std::optional<std::uint64_t> thread_state(std::uint32_t tid, std::uint64_t thread_pointer,
	                                                        std::span<const ThreadState> among) const;

	// What the thread runs now; innermost first, 128 frames at most; empty when it runs no Python code.
	[[nodiscard]] std::vector<PythonFrameRef> frames(std::uint64_t thread_state) const;
	// One SourceFrame for each; see CodeCache. Best soon after the frames were taken: code objects may be freed.
	[[nodiscard]] std::vector<SourceFrame> resolve(std::span<const PythonFrameRef> frames);

	// The frames as above, and the thread's name as Python has it (threading.Thread.name, 64 characters at most). The name is
	// told by the outermost frame: nullopt for a thread that threading did not begin, the main thread say, or when it could not
	// be read.
	struct NamedFrames {
		std::vector<PythonFrameRef> frames;
		std::optional<std::string> name;
	};
	[[nodiscard]] NamedFrames named_frames(std::uint64_t thread_state);

	// The same three by `memory`, this process's pages as they were a moment ago: one look at many threads, of which most lie in
	// the same pages. `prefetch` reads what the frames of all these threads need in a few questions.
	[[nodiscard]] std::vector<ThreadState> threads(const process::Memory &memory) const {
		return walk_threads(memory, offsets_, location_.runtime);
	}
	[[nodiscard]] std::optional<std::uint64_t> thread_state(std::uint32_t tid, std::uint64_t thread_pointer,
	                                                        std::span<const ThreadState> among,
	                                                        const process::Memory &memory) const;
	[[nodiscard]] NamedFrames named_frames(std::uint64_t thread_state, const process::Memory &memory);
	void prefetch(const PageCache &pages, std::span<const std::uint64_t> thread_states) const;

	// The threads that are in a `with` block of one of these lock objects, or about to enter one, by tid in our PID namespace;
	// incomplete when that takes long. See with_blocks.h.
	[[nodiscard]] std::multimap<std::uint64_t, std::uint32_t> threads_in_with(const std::set<std::uint64_t> &objects) const;

	// The thread's id as the thread itself sees it: in the innermost PID namespace. 0: cannot be told.
	[[nodiscard]] std::uint64_t native_id(const ThreadState &thread) const { return native_id(*memory_, thread); }
	// Its id in our PID namespace, by `native_id` or `thread_id`. nullopt: gone, or it could not be told.
	[[nodiscard]] std::optional<std::uint32_t> tid_of(const ThreadState &thread) const;

	[[nodiscard]] Gils gils() const { return {*memory_, offsets_, location_.runtime}; }
	// Who holds the main interpreter's GIL at this moment. nullopt: nobody, or it changed hands during the look.
	[[nodiscard]] std::optional<GilHolder> gil_holder() const;

private:
	Interpreter(process::ProcFs proc, std::uint32_t pid, std::unique_ptr<process::Memory> memory, const Location &location,
	            const Offsets &offsets);

	[[nodiscard]] std::uint64_t native_id(const process::Memory &memory, const ThreadState &thread) const;

	process::ProcFs proc_;
	std::uint32_t pid_;
	std::unique_ptr<process::Memory> memory_;
	Location location_;
	Offsets offsets_;
	CodeCache codes_;
};

} // namespace loopsnoop::runtimes::cpython
