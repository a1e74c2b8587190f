// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>

namespace loopsnoop::foreign {

// How long one process, or one file system, may keep us waiting in all: a server that answers each question just before its
// deadline would hold us up as one that never answers. Two seconds at once, and then a fifth of the time. One thread.
class TimeBudget {
public:
	static constexpr std::uint64_t full_ns = 2'000'000'000;
	static constexpr std::uint64_t refill_divisor = 5;
	static constexpr std::uint64_t free_ns = 1'000'000; // of each answer: the scheduler may take some in between
	static constexpr std::size_t max_keys = 4096;       // beyond that all begin anew

	[[nodiscard]] std::uint64_t left_ns(std::uint64_t key, std::uint64_t now_ns) const;
	void charge(std::uint64_t key, std::uint64_t waited_ns, std::uint64_t now_ns);

private:
	struct Account {
		std::uint64_t left_ns;
		std::uint64_t at_ns;
	};
	std::map<std::uint64_t, Account> accounts_; // only of those who have kept us waiting
};

} // namespace loopsnoop::foreign
