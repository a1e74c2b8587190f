// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace loopsnoop::elf {

// How much may be spent at once on the files of one process: what it costs to read them is up to whoever wrote them. Whoever
// works for a process (on a stack, on finding its runtime) makes one that lives as long as the work; all that this thread
// reads and computes meanwhile counts, and the readers, who are several calls further in, ask used_up() and end with what they
// have. A limit within another one does nothing: the outer one counts.
//
// CPU time of this thread, and the time that the helpers of foreign/ took for it, so that a busy machine does not cost names: 400
// ms at once, and for a process 2 s, then a fifth of the time (foreign::TimeBudget, which counts likewise how long it keeps us
// waiting). Where computing takes several times longer than usual (emulated machines, builds without optimization), that many
// times as much.
class WorkLimit {
public:
	static constexpr std::uint64_t max_cpu_ns = 400'000'000;
	static constexpr std::uint64_t max_bytes = 192ULL * 1024 * 1024; // read from files

	explicit WorkLimit(std::uint32_t pid) : WorkLimit(pid, max_cpu_ns) {}
	WorkLimit(std::uint32_t pid, std::uint64_t cpu_ns);
	WorkLimit(const WorkLimit &) = delete;
	WorkLimit &operator=(const WorkLimit &) = delete;
	WorkLimit(WorkLimit &&) = delete;
	WorkLimit &operator=(WorkLimit &&) = delete;
	~WorkLimit();

	// Something was left out, for want of time, bytes or memory.
	[[nodiscard]] static bool hit();
	// Where no limit is in force: never.
	[[nodiscard]] static bool used_up();
	// The same for loops of many small steps: reads the clock each 4096th time.
	[[nodiscard]] static bool used_up_by_step();
	static void count_bytes(std::size_t bytes);
	// There was no room for a table.
	static void refuse();
	// CPU time so far; 0 where no limit is in force.
	[[nodiscard]] static std::uint64_t spent_ns();

private:
	std::uint32_t pid_;
	bool counts_;
	bool hit_ = false;
	std::uint32_t steps_ = 0;
	std::uint64_t bytes_ = 0;
	std::uint64_t began_ns_ = 0;
	std::uint64_t end_ns_ = 0;
};

} // namespace loopsnoop::elf
