// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/session.h"
#include "process/pid_identity.h"
#include "process/procfs.h"
#include "runtimes/cpython/interpreter.h"
#include "runtimes/v8/frames.h"

namespace loopsnoop::inspect {

// What is known of the program a process runs: its name, its runtime, its interpreter once that has begun. When a pid is
// another process's by now, all that is known of it is read anew. An interpreter of the former one that was handed out lives on
// until forget_gone(). One thread.
class Programs {
public:
	explicit Programs(process::ProcFs proc) : proc_(std::move(proc)) {}

	[[nodiscard]] std::string comm(std::uint32_t pid);
	void set_comm(std::uint32_t pid, std::string comm) { entry(pid).comm = std::move(comm); }
	// What people call it; read again when it is some seconds old, because programs give themselves titles once they have begun.
	[[nodiscard]] const ProcessName &name(std::uint32_t pid);
	// The process as the other end of something.
	[[nodiscard]] Peer peer(std::uint32_t pid);
	[[nodiscard]] Runtime runtime(std::uint32_t pid);
	// Whether Go's tool chain has made it; read once.
	[[nodiscard]] bool is_go(std::uint32_t pid);
	// nullptr: not CPython, or not begun yet; asked again now and then, ever more rarely.
	[[nodiscard]] runtimes::cpython::Interpreter *interpreter(std::uint32_t pid);

	// nullptr: not Node, or its V8 does not say how to be read.
	[[nodiscard]] runtimes::v8::Frames *javascript(std::uint32_t pid);

	// As Python has it, where it has one, that of a thread that has ended included if it was learned in time; else `kernel_name`.
	// Reads every PyThreadState.
	[[nodiscard]] std::string thread_name(std::uint32_t pid, std::uint32_t tid, std::string kernel_name);
	// Learns the names of the threads that there are now and were not at the last call.
	void learn_thread_names(std::uint32_t pid);

	// One of perhaps hundreds: what is not CPython after some seconds is asked about ever more rarely still.
	void seldom(std::uint32_t pid) { entry(pid).seldom = true; }
	// Forgets the processes that are gone, and those whose pid is another's by now; of those that are not followed nobody reports
	// it. To be called while nobody holds an interpreter or V8's frames.
	void forget_gone();
	// Its end and its exec are reported to us from now on, so whose pid it is need not be asked.
	void follow(std::uint32_t pid) { entry(pid).followed = true; }
	void unfollow(std::uint32_t pid) { entry(pid).followed = false; }
	void exec(std::uint32_t pid);
	void forget(std::uint32_t pid) { programs_.erase(pid); }

private:
	struct Program {
		process::PidIdentity identity;
		bool followed = false;
		std::string comm;
		ProcessName name;
		std::string program_name; // of its script or program, whatever unit it is in
		std::uint64_t next_name_ns = 0;
		std::optional<Runtime> runtime;
		std::optional<bool> go;
		std::uint64_t runtime_asked_ns = 0;
		std::unique_ptr<runtimes::cpython::Interpreter> interpreter;
		runtimes::FilesWithout without_python;
		std::optional<runtimes::v8::Frames> javascript;
		std::uint64_t next_javascript_ns = 0;
		std::uint64_t javascript_pause_ns = 0;
		std::uint64_t next_try_ns = 0;
		std::uint64_t pause_ns = 0;
		bool seldom = false;
		struct ThreadName {
			std::uint64_t thread_state = 0; // another one under the same id is another thread
			std::string name;
		};
		std::map<std::uint64_t, ThreadName> thread_names; // by the id that the thread itself sees
		std::optional<bool> same_namespace;               // that id is ours, too
	};

	// The only way to an entry: one of the process that has the pid now.
	[[nodiscard]] Program &entry(std::uint32_t pid);
	void read_name(std::uint32_t pid, Program &program);
	[[nodiscard]] const std::string &comm(std::uint32_t pid, Program &program);
	[[nodiscard]] Runtime runtime(std::uint32_t pid, Program &program);
	[[nodiscard]] runtimes::cpython::Interpreter *interpreter(std::uint32_t pid, Program &program);

	using Entries = std::map<std::uint32_t, Program>;
	process::ProcFs proc_;
	Entries programs_;
	std::vector<Entries::node_type> replaced_; // of processes whose pid is another's now
};

} // namespace loopsnoop::inspect
