// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "discovery/launch.h"
#include "process/procfs.h"
#include "session/clock.h"

namespace loopsnoop::session {

// How a session ends that somebody wants to end, and what becomes of the command that it began (`-- COMMAND`), where it did. What
// it is given outlives it. One thread.
class CommandEnd {
public:
	enum class Next : std::uint8_t { go_on, end };

	CommandEnd(std::optional<discovery::Launch> &command, const process::ProcFs &proc, const Clock &clock)
	    : command_(command), proc_(proc), clock_(clock) {}

	// Somebody wants an end; `forward`: the signal that the command is to get, 0: it has it already.
	[[nodiscard]] Next obey(int forward);
	// It was told to end, and sleeps where no signal reaches it: nobody knows when that ends.
	[[nodiscard]] bool hangs();
	// Its wait status; `gone`: its last thread is, which may be a moment before it can be reaped. nullopt: none, or it runs.
	[[nodiscard]] std::optional<int> status(bool gone);

private:
	std::optional<discovery::Launch> &command_;
	const process::ProcFs &proc_;
	const Clock &clock_;
	bool interrupted_ = false; // it was told to end
	std::uint64_t end_of_patience_ns_ = 0;
	bool hung_ = false;
};

} // namespace loopsnoop::session
