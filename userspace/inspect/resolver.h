// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inspect/children.h"
#include "inspect/programs.h"
#include "model/event.h"
#include "process/peer_finder.h"
#include "process/procfs.h"
#include "stacks/symbolizer.h"

namespace loopsnoop::inspect {

// Numbers to names: stacks, resources, wakers. Reads the target's memory and files, /proc and ELF files, so each call may take
// milliseconds, the first one for a program longer. It is called for stalls that are reported, for the threads of a snapshot, and
// early for waits that may become part of a stall and whose names might be gone by then. One thread.
class Resolver {
public:
	Resolver(const process::ProcFs &proc, Programs &programs, Children &children)
	    : proc_(proc), programs_(programs), children_(children), symbolizer_(proc), peers_(proc) {}

	[[nodiscard]] Stack stack(const RawStack &raw);
	[[nodiscard]] std::vector<SourceFrame> python(const RawStack &raw);
	// Whether what names its frames moves about in memory: to be asked for at once, not when a stall has ended.
	[[nodiscard]] bool names_move(std::uint32_t pid) { return programs_.javascript(pid) != nullptr; }
	// The cause may differ from the raw one: opening a FIFO is `pipe`.
	// `known`: the user stack by name, resolved while the wait went on; nullptr: it is resolved now.
	[[nodiscard]] Wait wait(const RawWait &raw, const Stack *known = nullptr);
	[[nodiscard]] std::optional<Resource> resource(std::uint32_t pid, const WaitTarget &target, Cause &cause);

	// For a thread that waits at this moment: adds which lock it is, and who holds it, to a futex that is not the GIL's. In place
	// of the timer that SQLite sleeps on while its database is locked comes the database.
	void view_lock(const RawStack &raw, const Stack &stack, std::optional<Resource> &resource);

	// Likewise which process holds the file lock that it waits for.
	void view_file_lock(std::uint32_t pid, const std::optional<std::string> &syscall, const WaitTarget &target,
	                    std::optional<Resource> &resource);

	// For a wait that is over: which lock that was.
	void name_lock(const RawStack &raw, const Stack &stack, std::optional<Resource> &resource);

	// The process at the other end of a descriptor.
	[[nodiscard]] std::optional<Peer> peer(std::uint32_t pid, const DescriptorSnapshot &snapshot);

	void exec(std::uint32_t pid) { symbolizer_.exec(pid); }
	void forget(std::uint32_t pid) { symbolizer_.forget(pid); }
	[[nodiscard]] std::uint64_t over_budget() const { return symbolizer_.over_budget(); }

	[[nodiscard]] static std::optional<std::string> syscall_text(std::optional<long> number);

private:
	[[nodiscard]] std::vector<SourceFrame> javascript(const RawStack &raw, const std::vector<NativeFrame> &native,
	                                                  const std::vector<std::uint64_t> &frame_pointers);
	[[nodiscard]] Resource descriptor(std::uint32_t pid, const DescriptorSnapshot &snapshot);
	[[nodiscard]] std::optional<Resource> mapped_file(std::uint32_t pid, std::uint64_t address);
	[[nodiscard]] Resource path(std::uint32_t pid, const WaitTarget &target, Cause &cause);
	[[nodiscard]] std::optional<Waker> waker(const RawWait &raw);
	[[nodiscard]] Stack stack_of(const RawStack &raw, const Stack *known);

	process::ProcFs proc_;
	Programs &programs_;
	Children &children_;
	stacks::Symbolizer symbolizer_;
	process::PeerFinder peers_;
};

} // namespace loopsnoop::inspect
