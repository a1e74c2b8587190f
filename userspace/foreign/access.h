// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "foreign/dead_places.h"
#include "foreign/helpers.h"
#include "foreign/memory_piece.h"
#include "foreign/mounts.h"
#include "foreign/question.h"
#include "foreign/time_budget.h"

namespace loopsnoop::foreign {

// How a file of a process is reached, and what is known of where it lies.
struct FileName {
	std::uint32_t pid = 0;    // 0: ours
	std::string path;         // for us, as "/proc/7/exe"; with `root`, as the process names it
	std::string root;         // "/proc/7/root": symbolic links lead on inside it; empty: `path` is taken as it is
	std::string mountinfo;    // "/proc/7/mountinfo"; empty: ours
	std::string shown;        // the path for people and for finding its mount, where `path` is a link of /proc
	std::uint64_t device = 0; // st_dev of its file system, when known

	[[nodiscard]] const std::string &name() const { return shown.empty() ? path : shown; }
};

struct OpenedFile {
	UniqueFd file;
	FileStatus status;
	std::vector<std::byte> first; // its first bytes, where they were asked for
};

// The only way to files of a target and to its memory. Both may lie on a disk or behind a server that does not answer, or be made
// to: then the one who asks sleeps for good, beyond the reach of signals. So other processes ask (Helpers), each question has a
// deadline, and what did not answer is not asked again before it does.
//
// Costs, measured on two cores at 2.9 GHz (medians): a question 19 us for 4 KiB and 24 us for 64 KiB, where the system call alone
// is 2 and 4 us. Hence whoever reads many small things reads them in pages (bytes.h, process::PagedMemory). Reading directly what
// lies in anonymous memory or on a local disk would be cheaper, but cannot be made safe: a target may map something else
// there after its map was read and before its memory is. Threads of ours in place of processes would keep us from ever ending. A
// BPF program reads others' memory either by sleeping in the same fault, or not at all.
//
// Any thread may call.
class Access {
public:
	static constexpr std::uint64_t deadline_ns = 250'000'000;

	// Without helpers: every question is done at once by the caller, who waits. For tests, and programs that read themselves.
	Access();
	explicit Access(Helpers helpers);

	// A regular file for reading, and its first bytes; anything else is an Error. The descriptor is for `read` alone, never for
	// read(2) here.
	[[nodiscard]] Result<OpenedFile> open(const FileName &name, std::size_t first_bytes = 0);
	[[nodiscard]] Result<FileStatus> status(const FileName &name);
	// How many bytes were read. `name`: what the descriptor was opened by, with the device that its status has.
	[[nodiscard]] std::size_t read(int file, const FileName &name, std::uint64_t offset, std::span<std::byte> into);
	// What a file of /proc holds, `max_bytes` of it at most.
	[[nodiscard]] Result<std::string> text(const FileName &name, std::size_t max_bytes);
	// From the address on, until `into` is full or a byte cannot be read.
	[[nodiscard]] std::size_t memory(std::uint32_t pid, std::uint64_t address, std::span<std::byte> into);
	// The same of many places: 256 of them, or 64 KiB, in one question.
	void memory(std::uint32_t pid, std::span<MemoryPiece> pieces);
	// "TCP", of /proc/PID/fd/N; empty: not a socket, or not known.
	[[nodiscard]] std::string socket_protocol(std::uint32_t pid, const std::string &link);

	// Readable when somebody wants an end: from then on no answer is waited for longer than 20 ms. It is not read here. -1: there
	// is none.
	void hurry_by(int descriptor);
	// The end has come: what is asked from here on may take a fifth of a second in all.
	void hurry();

	// What has not answered since the beginning; see DeadPlaces::history.
	[[nodiscard]] std::vector<Unanswered> unanswered();
	// How many questions have not been answered in time, including those that were not put any more.
	[[nodiscard]] std::uint64_t questions_unanswered();
	// How long all answers so far took there, and how long we waited for those that did not come.
	[[nodiscard]] std::uint64_t time_of_questions_ns();
	[[nodiscard]] std::size_t helpers_given_up();

private:
	// nullopt: no answer; `given_up` is then 0, or the question that a helper is left with.
	[[nodiscard]] std::optional<Answer> ask(const Question &question, std::span<std::byte> into, std::uint64_t &given_up);
	// nullopt: no answer, or an error; `why` says so.
	[[nodiscard]] std::optional<Answer> ask_of_file(const FileName &name, const Question &question, std::span<std::byte> into,
	                                                Error &why);
	[[nodiscard]] const Unanswered *known_dead(const FileName &name) const;
	void remember(std::uint64_t question, const FileName &name);
	[[nodiscard]] std::size_t ask_for_memory(Question &question, std::uint64_t begin, std::uint64_t end,
	                                         std::span<std::byte> into);
	[[nodiscard]] std::size_t read_from(std::uint32_t pid, std::uint64_t address, std::span<std::byte> into);
	void ask_for_pieces(std::uint32_t pid, std::span<MemoryPiece> pieces);
	void collect_late();

	std::mutex mutex_;
	std::optional<Helpers> helpers_;
	TimeBudget budget_;
	DeadPlaces dead_;
	std::uint64_t unanswered_ = 0;
	std::uint64_t took_ns_ = 0;
	std::optional<std::uint64_t> left_ns_; // of the time to wait in all
};

// The one that this process asks. Until `use` was called, one without helpers.
[[nodiscard]] Access &access();
// To be called before the process has threads; forks.
[[nodiscard]] Result<void> start_helpers();
void stop_helpers();

// For as long as it lives.
class RunningHelpers {
public:
	RunningHelpers() = default;
	RunningHelpers(const RunningHelpers &) = delete;
	RunningHelpers &operator=(const RunningHelpers &) = delete;
	RunningHelpers(RunningHelpers &&) = delete;
	RunningHelpers &operator=(RunningHelpers &&) = delete;
	~RunningHelpers() { stop_helpers(); }
};

} // namespace loopsnoop::foreign
