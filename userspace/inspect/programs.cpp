// SPDX-License-Identifier: Apache-2.0
#include "inspect/programs.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/clock.h"
#include "process/memory.h"
#include "process/process_name.h"
#include "runtimes/cpython/page_cache.h"
#include "runtimes/detect.h"
#include "runtimes/go_program.h"

namespace loopsnoop::inspect {

namespace {

// An interpreter begins within milliseconds of its process; a library that embeds one may be loaded at any time.
constexpr std::uint64_t first_pause_ns = 20'000'000;
constexpr std::uint64_t longest_pause_ns = 10'000'000'000;
constexpr std::uint64_t seldom_pause_ns = 600'000'000'000;

} // namespace

Programs::Program &Programs::entry(std::uint32_t pid) {
	auto known = programs_.try_emplace(pid).first;
	if (!known->second.followed && known->second.identity.is_another(proc_, pid)) {
		replaced_.push_back(programs_.extract(known)); // somebody may be reading with it
		known = programs_.try_emplace(pid).first;
		(void)known->second.identity.is_another(proc_, pid);
	}
	return known->second;
}

void Programs::exec(std::uint32_t pid) {
	const auto known = programs_.find(pid);
	const bool followed = known != programs_.end() && known->second.followed;
	forget(pid);
	if (followed) {
		follow(pid);
	}
}

std::string Programs::comm(std::uint32_t pid) { return comm(pid, entry(pid)); }

const std::string &Programs::comm(std::uint32_t pid, Program &program) {
	if (program.comm.empty()) {
		program.comm = proc_.comm(pid);
	}
	return program.comm;
}

void Programs::read_name(std::uint32_t pid, Program &program) {
	constexpr std::uint64_t valid_ns = 5'000'000'000;
	const std::uint64_t now = monotonic_ns();
	if (now < program.next_name_ns) {
		return;
	}
	program.next_name_ns = now + valid_ns;
	const process::ProgramFacts facts = process::program_facts(proc_, pid);
	if (!facts.arguments.empty() || program.name.service.empty()) { // of one that has ended the last name stays
		program.name = process::name_of(facts);
		program.program_name = process::program_name(facts);
	}
}

const ProcessName &Programs::name(std::uint32_t pid) {
	Program &program = entry(pid);
	read_name(pid, program);
	return program.name;
}

Peer Programs::peer(std::uint32_t pid) {
	Program &program = entry(pid);
	read_name(pid, program);
	Peer peer{pid, comm(pid, program)};
	// A name that a program has given itself stays.
	if (const std::string &name = program.program_name;
	    name != peer.comm && !process::is_interpreters_name(name) &&
	    (process::is_interpreters_name(peer.comm) || name.starts_with(peer.comm))) {
		peer.name = name;
	}
	return peer;
}

Runtime Programs::runtime(std::uint32_t pid) { return runtime(pid, entry(pid)); }

Runtime Programs::runtime(std::uint32_t pid, Program &program) {
	// Of a thousand loops of one process not each is a reason to read its maps.
	const std::uint64_t now = monotonic_ns();
	if (!program.runtime || (program.runtime->kind == RuntimeKind::native && now >= program.runtime_asked_ns + first_pause_ns)) {
		program.runtime = runtimes::detect(proc_, pid);
		program.runtime_asked_ns = now;
	}
	if (program.interpreter != nullptr) {
		program.runtime = Runtime{RuntimeKind::cpython, program.interpreter->version()};
	}
	return *program.runtime;
}

bool Programs::is_go(std::uint32_t pid) {
	Program &program = entry(pid);
	if (runtime(pid, program).kind != RuntimeKind::native) {
		return false;
	}
	if (!program.go) {
		program.go = runtimes::is_go_program(proc_, pid);
	}
	return *program.go;
}

runtimes::cpython::Interpreter *Programs::interpreter(std::uint32_t pid) { return interpreter(pid, entry(pid)); }

runtimes::cpython::Interpreter *Programs::interpreter(std::uint32_t pid, Program &program) {
	if (program.interpreter != nullptr) {
		return program.interpreter.get();
	}
	const std::uint64_t now = monotonic_ns();
	if (now < program.next_try_ns) {
		return nullptr;
	}
	if (auto found = runtimes::cpython::Interpreter::find(proc_, pid, &program.without_python)) {
		program.interpreter = std::make_unique<runtimes::cpython::Interpreter>(std::move(*found));
		return program.interpreter.get();
	}
	const std::uint64_t growth = program.seldom ? 4 : 2;
	program.pause_ns = std::clamp(program.pause_ns * growth, first_pause_ns, program.seldom ? seldom_pause_ns : longest_pause_ns);
	program.next_try_ns = now + program.pause_ns;
	return nullptr;
}

runtimes::v8::Frames *Programs::javascript(std::uint32_t pid) {
	Program &program = entry(pid);
	if (program.javascript) {
		return &*program.javascript;
	}
	const std::uint64_t now = monotonic_ns();
	if (now < program.next_javascript_ns) {
		return nullptr;
	}
	if (runtime(pid, program).kind == RuntimeKind::node) {
		program.javascript = runtimes::v8::Frames::find(proc_, pid);
	}
	program.javascript_pause_ns = std::clamp(program.javascript_pause_ns * 2, first_pause_ns, seldom_pause_ns);
	program.next_javascript_ns = now + program.javascript_pause_ns;
	return program.javascript ? &*program.javascript : nullptr;
}

void Programs::forget_gone() {
	replaced_.clear();
	std::erase_if(programs_, [&](const auto &entry) { return !proc_.exists(entry.first); });
	for (auto &[pid, program] : programs_) {
		program.identity.expire(); // who is there under that pid is asked when somebody asks for the program
	}
}

void Programs::learn_thread_names(std::uint32_t pid) {
	Program &program = entry(pid);
	auto *python = interpreter(pid, program);
	if (python == nullptr) {
		return;
	}
	auto &known = program.thread_names;
	constexpr std::size_t most = 4096;
	if (known.size() > most) {
		known.clear();
	}
	const process::TargetMemory memory(pid);
	const runtimes::cpython::PageCache pages(memory);
	for (const runtimes::cpython::ThreadState &thread : python->threads(pages)) {
		const std::uint64_t id = python->native_id(thread);
		const auto before = known.find(id);
		if (id == 0 || (before != known.end() && before->second.thread_state == thread.address)) {
			continue;
		}
		if (auto name = python->named_frames(thread.address, pages).name) {
			known[id] = {thread.address, std::move(*name)};
		} else if (before != known.end()) {
			known.erase(before);
		}
	}
}

std::string Programs::thread_name(std::uint32_t pid, std::uint32_t tid, std::string kernel_name) {
	Program &program = entry(pid);
	auto *python = interpreter(pid, program);
	if (python == nullptr) {
		return kernel_name;
	}
	if (const auto state = python->thread_state(tid, 0)) {
		return python->named_frames(*state).name.value_or(std::move(kernel_name));
	}
	if (!program.same_namespace) {
		program.same_namespace = proc_.same_namespace(pid, static_cast<std::uint32_t>(getpid()), "pid");
	}
	const auto learned = program.thread_names.find(tid);
	return program.same_namespace == true && learned != program.thread_names.end() ? learned->second.name : kernel_name;
}

} // namespace loopsnoop::inspect
