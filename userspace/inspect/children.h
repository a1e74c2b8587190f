// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "process/procfs.h"

namespace loopsnoop::inspect {

// Names of processes that followed ones forked: asked for while they live, because a wait for a child is reported after its end.
class Children {
public:
	explicit Children(process::ProcFs proc) : proc_(std::move(proc)) {}

	void forked(std::uint32_t parent, std::uint32_t child, std::uint64_t now_ns);
	// Reads the names of those that still run: a child's name is its program's only after its exec().
	void refresh(std::uint64_t now_ns);
	[[nodiscard]] bool knows(std::uint32_t child) const { return children_.contains(child); }
	[[nodiscard]] std::optional<std::string> comm(std::uint32_t child) const;
	// The child of `parent` that is called `inner` in their own pid namespace, as we see it; nullopt: not known.
	[[nodiscard]] std::optional<std::uint32_t> outer_pid(std::uint32_t parent, std::uint32_t inner) const;

private:
	struct Child {
		std::string comm;
		std::uint32_t parent = 0;
		std::uint32_t inner_pid = 0;   // in its own pid namespace; 0: not known
		std::uint64_t start_ticks = 0; // ProcessStatus::start_time_ticks; 0: not known
		std::uint64_t forked_ns = 0;
		bool gone = false;
	};

	[[nodiscard]] bool is_running(std::uint32_t pid, const Child &child) const;

	process::ProcFs proc_;
	std::map<std::uint32_t, Child> children_;
	std::uint64_t next_forgetting_ns_ = 0;
};

} // namespace loopsnoop::inspect
