// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loopsnoop::foreign {

// What has not answered.
struct Unanswered {
	std::uint32_t pid = 0;                   // of the process on whose behalf it was asked
	std::string path;                        // of the file; empty: it was memory
	std::string file_system;                 // "nfs 10.0.0.7:/export (mounted at /srv)"; empty: not known
	std::uint64_t device = 0;                // of the file system, when all of it counts as dead
	std::uint64_t begin = 0, end = 0;        // of the memory
	std::optional<std::uint32_t> server_pid; // of FUSE
	std::string server_comm;
	std::uint64_t since_ns = 0; // CLOCK_MONOTONIC
	bool now = true;            // false: it has answered since

	// "/srv/app/x.so is on nfs 10.0.0.7:/export (mounted at /srv), which does not answer"
	[[nodiscard]] std::string sentence() const;
};

// Remembers who did not answer, so that nobody is asked twice: a whole file system where it is known to be one that a server
// answers for, else the one path, or a part of a process's memory. One is forgotten when the worker that waits there comes back.
// One thread.
class DeadPlaces {
public:
	static constexpr std::size_t max_places = 64; // the oldest are forgotten
	static constexpr std::uint64_t retry_ns = 30'000'000'000;
	static constexpr int max_parts = 3; // of a process's memory; then all of it counts

	void add(std::uint64_t question, Unanswered place);
	// The worker that this question was put to is back.
	void answered(std::uint64_t question);
	// It was killed while it waited: the place counts as dead for half a minute more.
	void died(std::uint64_t question, std::uint64_t now_ns);
	void forget_expired(std::uint64_t now_ns);

	[[nodiscard]] bool any() const { return !places_.empty(); }
	// nullptr: not known to be dead. Valid until the next call that is not const.
	[[nodiscard]] const Unanswered *device(std::uint64_t device) const;
	[[nodiscard]] const Unanswered *path(std::uint32_t pid, std::string_view path) const;
	[[nodiscard]] const Unanswered *memory(std::uint32_t pid, std::uint64_t begin, std::uint64_t end) const;

	// All since the beginning, 64 of them at most, oldest first; one line a file system.
	[[nodiscard]] const std::vector<Unanswered> &history() const { return history_; }

private:
	struct Place {
		std::uint64_t question;
		Unanswered what;
		std::uint64_t until_ns = ~0ULL;
	};
	void forget(std::vector<Place>::iterator place);

	std::vector<Place> places_;
	std::vector<Unanswered> history_;
};

} // namespace loopsnoop::foreign
