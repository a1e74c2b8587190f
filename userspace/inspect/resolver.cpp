// SPDX-License-Identifier: Apache-2.0
#include "inspect/resolver.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "analysis/database_wait.h"
#include "analysis/kernel_frames.h"
#include "locks/futex_call.h"
#include "locks/lock_finder.h"
#include "model/application.h"
#include "process/deleted_path.h"
#include "process/file_locks.h"
#include "process/memory.h"
#include "process/resource_of.h"
#include "process/sqlite_locks.h"
#include "process/syscall_names.h"

namespace loopsnoop::inspect {

namespace {

std::string read_link(const std::string &path) {
	std::array<char, 4096> target{};
	const ssize_t n = readlink(path.c_str(), target.data(), target.size());
	return n > 0 ? std::string(target.data(), static_cast<std::size_t>(n)) : std::string();
}

// Of a pseudo-terminal, which is a pipe to another process.
bool is_terminal(const std::string &path) { return path.starts_with("/dev/pts/") && !path.ends_with("ptmx"); }

} // namespace

std::optional<std::string> Resolver::syscall_text(std::optional<long> number) {
	if (!number) {
		return std::nullopt;
	}
	if (const auto name = process::syscall_name(*number)) {
		return std::string(*name);
	}
	return "syscall_" + std::to_string(*number);
}

Stack Resolver::stack(const RawStack &raw) {
	// First what may be gone soon: the code of a module is freed when it has run. Symbols of a large file take their time.
	std::vector<SourceFrame> python_frames = python(raw);
	std::vector<std::uint64_t> frame_pointers;
	Stack stack = symbolizer_.native_and_kernel(raw, frame_pointers);
	stack.python = std::move(python_frames);
	// More than a perf map has: what is interpreted, and what was compiled before somebody asked for the map.
	if (auto frames = javascript(raw, stack.native, frame_pointers); !frames.empty()) {
		stack.javascript = std::move(frames);
	}
	return stack;
}

// Each frame of JavaScript has its function at a fixed place from its frame pointer. Code that V8 made is in no file; its
// interpreter and other builtins are in Node's, without names where that is stripped. Frames within leave the pointer as it is,
// or not.
std::vector<SourceFrame> Resolver::javascript(const RawStack &raw, const std::vector<NativeFrame> &native,
                                              const std::vector<std::uint64_t> &frame_pointers) {
	std::vector<SourceFrame> frames;
	const auto is_of_v8 = [](const NativeFrame &frame) { return !frame.module || is_interpreter_frame(frame); };
	const bool any = std::ranges::any_of(native, is_of_v8);
	auto *names = any ? programs_.javascript(raw.pid) : nullptr;
	if (names == nullptr) {
		return frames;
	}
	const process::TargetMemory memory(raw.pid);
	const auto word = [&](std::uint64_t address) {
		std::uint64_t value = 0;
		if (address >= raw.stack_address && address - raw.stack_address + sizeof(value) <= raw.stack_bytes.size()) {
			std::memcpy(&value, raw.stack_bytes.data() + (address - raw.stack_address), sizeof(value));
			return std::optional(value);
		}
		return raw.from == StackFrom::live ? memory.read_value<std::uint64_t>(address) : std::nullopt;
	};
	std::uint64_t last = 0;
	for (std::size_t i = 0; i < native.size(); i++) {
		if (!is_of_v8(native[i]) || frame_pointers[i] <= last) {
			continue; // a caller's frame lies above
		}
		if (auto frame = names->at(frame_pointers[i], word)) {
			frames.push_back(std::move(*frame));
			last = frame_pointers[i];
		}
	}
	return frames;
}

std::vector<SourceFrame> Resolver::python(const RawStack &raw) {
	auto *interpreter = raw.python.empty() ? nullptr : programs_.interpreter(raw.pid);
	return interpreter != nullptr ? interpreter->resolve(raw.python) : std::vector<SourceFrame>();
}

std::optional<Peer> Resolver::peer(std::uint32_t pid, const DescriptorSnapshot &snapshot) {
	const auto found = peers_.find(pid, snapshot);
	return found ? std::optional(programs_.peer(found->pid)) : std::nullopt;
}

Resource Resolver::descriptor(std::uint32_t pid, const DescriptorSnapshot &snapshot) {
	DescriptorSnapshot full = snapshot;
	if (full.kind == DescriptorKind::unknown ||
	    (!full.path && full.kind != DescriptorKind::socket && full.kind != DescriptorKind::pipe)) {
		// The path was too long for the kernel side: as it is now, if it is still the same file.
		if (auto now = proc_.descriptor(pid, full.fd); now && now->inode == full.inode) {
			full.path = now->path;
		}
	}
	Resource resource = process::to_resource(full);
	if (auto *socket = std::get_if<SocketResource>(&resource.is)) {
		socket->peer = peer(pid, full);
	} else if (auto *pipe = std::get_if<PipeResource>(&resource.is)) {
		pipe->peer = peer(pid, full);
	} else if (auto *file = std::get_if<FileResource>(&resource.is); file != nullptr && file->path && is_terminal(*file->path)) {
		if (const auto found = peers_.find_terminal(pid, *file->path)) {
			file->peer = programs_.peer(found->pid);
		}
	}
	return resource;
}

// The file that is mapped there now. nullopt: none (memory that was swapped out, say), or the process is gone.
std::optional<Resource> Resolver::mapped_file(std::uint32_t pid, std::uint64_t address) {
	const auto maps = proc_.maps(pid);
	if (!maps) {
		return std::nullopt;
	}
	const auto mapping = std::find_if(maps->begin(), maps->end(), [&](const auto &one) { return one.contains(address); });
	if (mapping == maps->end() || !mapping->has_file()) {
		return std::nullopt;
	}
	return Resource{FileResource{std::nullopt, mapping->path + std::string(mapping->deleted ? process::deleted_suffix : "")}};
}

Resource Resolver::path(std::uint32_t pid, const WaitTarget &target, Cause &cause) {
	std::string path = *target.path;
	if (!path.empty() && path.front() != '/') {
		const std::string base = read_link(target.directory_fd ? proc_.path_of(pid, "fd/" + std::to_string(*target.directory_fd))
		                                                       : proc_.path_of(pid, "cwd"));
		if (!base.empty()) {
			path = (base == "/" ? "" : base) + "/" + path;
		}
	}
	const auto status = foreign::access().status(proc_.target_file(pid, path));
	if (status && S_ISFIFO(status->mode)) {
		if (cause == Cause::file_io) {
			cause = Cause::pipe;
		}
		return {PipeResource{std::nullopt, path, std::nullopt}};
	}
	return {FileResource{std::nullopt, path}};
}

std::optional<Resource> Resolver::resource(std::uint32_t pid, const WaitTarget &target, Cause &cause) {
	if (target.fault_address && cause == Cause::page_fault) {
		return mapped_file(pid, *target.fault_address);
	}
	if (target.futex_address) {
		return Resource{
		    FutexResource{*target.futex_address, cause == Cause::gil ? LockKind::gil : LockKind::unknown, std::nullopt}};
	}
	if (target.waits_for_child) {
		ProcessResource process;
		if (target.child_pid) {
			process.pid = children_.outer_pid(pid, *target.child_pid);
		}
		if (process.pid) {
			process.comm = children_.comm(*process.pid);
			process.name = programs_.peer(*process.pid).name;
		}
		return Resource{std::move(process)};
	}
	if (target.path) {
		return path(pid, target, cause);
	}
	if (target.sleeps) {
		return Resource{TimerResource{target.requested_ns}};
	}
	if (target.descriptors.size() == 1 && target.descriptors_total <= 1) {
		Resource one = descriptor(pid, target.descriptors.front());
		if (const auto *file = std::get_if<FileResource>(&one.is);
		    file != nullptr && file->path && is_terminal(*file->path) && cause == Cause::other) {
			cause = Cause::pipe;
		}
		return one;
	}
	if (!target.descriptors.empty()) {
		FdsResource fds;
		fds.total = target.descriptors_total > target.descriptors.size() ? target.descriptors_total : 0;
		for (const DescriptorSnapshot &one : target.descriptors) {
			fds.fds.push_back(descriptor(pid, one));
		}
		return Resource{std::move(fds)};
	}
	return std::nullopt;
}

std::optional<Waker> Resolver::waker(const RawWait &raw) {
	if (!raw.waker || (raw.waker_kernel.empty() && raw.waker->tid != 0)) {
		return std::nullopt; // it is not known whether it was the thread or an interrupt
	}
	Waker waker = *raw.waker;
	RawStack kernel;
	kernel.pid = waker.pid;
	kernel.tid = waker.tid;
	kernel.kernel = raw.waker_kernel;
	Stack stack = symbolizer_.native_and_kernel(kernel);
	// An interrupt that came while it ran: it woke nobody itself, and its user stack has nothing to do with it.
	waker.interrupt = waker.tid == 0 || std::any_of(stack.kernel.begin(), stack.kernel.end(), analysis::is_interrupt_entry);
	// The innermost frames are the wake-up itself and our own program watching it.
	const auto inner = std::find_if(stack.kernel.rbegin(), stack.kernel.rend(), [](const KernelFrame &frame) {
		return frame.function && (*frame.function == "try_to_wake_up" || *frame.function == "__traceiter_sched_waking" ||
		                          frame.function->starts_with("bpf_"));
	});
	stack.kernel.erase(stack.kernel.begin(), inner.base());
	if (!waker.interrupt && raw.waker_stack) {
		Stack user = symbolizer_.native_and_kernel(*raw.waker_stack);
		user.python = raw.waker_python;
		user.kernel = std::move(stack.kernel);
		stack = std::move(user);
	}
	if (waker.interrupt) { // on behalf of nobody: whom it came upon has nothing to do with it
		waker = Waker{};
		waker.interrupt = true;
	}
	if (!stack.empty()) {
		waker.stack = std::move(stack);
	}
	return waker;
}

Stack Resolver::stack_of(const RawStack &raw, const Stack *known) {
	if (known == nullptr) {
		return stack(raw);
	}
	RawStack kernel_only;
	kernel_only.pid = raw.pid;
	kernel_only.tid = raw.tid;
	kernel_only.kernel = raw.kernel;
	Stack stack = *known;
	stack.kernel = symbolizer_.native_and_kernel(kernel_only).kernel;
	return stack;
}

void Resolver::view_lock(const RawStack &raw, const Stack &stack, std::optional<Resource> &resource) {
	if (resource && std::holds_alternative<TimerResource>(resource->is) && analysis::sleeps_in_sqlite(stack)) {
		if (auto database = process::locked_database(proc_, raw.pid)) {
			resource = FileResource{std::nullopt, std::move(database->path), programs_.peer(database->holder)};
		}
		return;
	}
	auto *futex = resource ? std::get_if<FutexResource>(&resource->is) : nullptr;
	if (futex == nullptr || futex->lock == LockKind::gil) {
		return;
	}
	const auto call = locks::futex_call(raw);
	if (!call || call->address != futex->address) {
		return; // these are not the registers of this wait
	}
	locks::LockView view = locks::view_lock(proc_, raw, stack, programs_.interpreter(raw.pid));
	futex->lock = view.lock;
	futex->type = std::move(view.type);
	futex->holder = std::move(view.holder);
	futex->object = view.object;
	futex->full = view.full;
	futex->within_process = call->within_process;
}

void Resolver::view_file_lock(std::uint32_t pid, const std::optional<std::string> &syscall, const WaitTarget &target,
                              std::optional<Resource> &resource) {
	auto *file = resource ? std::get_if<FileResource>(&resource->is) : nullptr;
	if (file == nullptr || (syscall != "flock" && syscall != "fcntl")) {
		return;
	}
	const std::uint64_t inode = target.descriptors.size() == 1 ? target.descriptors.front().inode : 0;
	if (const auto holder = process::file_lock_holder(proc_, pid, inode)) {
		file->holder = programs_.peer(*holder);
	}
}

void Resolver::name_lock(const RawStack &raw, const Stack &stack, std::optional<Resource> &resource) {
	auto *futex = resource ? std::get_if<FutexResource>(&resource->is) : nullptr;
	const auto call = futex != nullptr && futex->lock != LockKind::gil ? locks::futex_call(raw) : std::nullopt;
	if (call && call->address == futex->address) {
		locks::LockView view = locks::name_lock(raw, stack, programs_.interpreter(raw.pid) != nullptr);
		futex->lock = view.lock;
		futex->type = std::move(view.type);
		futex->object = view.object;
	}
}

Wait Resolver::wait(const RawWait &raw, const Stack *known) {
	Wait wait;
	wait.cause = raw.cause;
	wait.syscall = syscall_text(raw.syscall);
	wait.start_ns = raw.start_ns;
	wait.duration_ns = raw.off_ns;
	wait.run_delay_ns = raw.run_delay_ns;
	wait.count = raw.count;
	wait.ongoing = raw.ongoing;
	wait.resource = resource(raw.pid, raw.target, wait.cause);
	if (raw.ongoing) {
		view_file_lock(raw.pid, wait.syscall, raw.target, wait.resource);
	}
	// Kernel frames alone, of waits whose user stack there was no budget for, would pass for a stack that was taken.
	if (raw.stack.from != StackFrom::none) {
		Stack stack = stack_of(raw.stack, known);
		if (!stack.empty()) {
			wait.stack = std::move(stack);
			wait.stack_from = raw.stack.from;
			// A lock's holder is read only while it is waited for: afterwards it would be another one.
			if (raw.ongoing) {
				view_lock(raw.stack, *wait.stack, wait.resource);
			} else {
				name_lock(raw.stack, *wait.stack, wait.resource);
			}
		}
	}
	wait.waker = waker(raw);
	// A child wakes the parent that waits for it: that names it after its end, and when any child was waited for.
	if (auto *process = wait.resource ? std::get_if<ProcessResource>(&wait.resource->is) : nullptr;
	    process != nullptr && raw.waker && children_.knows(raw.waker->pid) && (!process->pid || process->pid == raw.waker->pid)) {
		process->pid = raw.waker->pid;
		process->comm = raw.waker->comm;
	}
	return wait;
}

} // namespace loopsnoop::inspect
