// SPDX-License-Identifier: Apache-2.0
#include "session/command_end.h"

#include <csignal>
#include <utility>

#include "base/clock.h"

namespace loopsnoop::session {

CommandEnd::Next CommandEnd::obey(int forward) {
	// The command got the Ctrl-C as well: its end is waited for, a second one is for loopsnoop alone.
	if (!command_ || command_->status() || interrupted_) {
		return Next::end;
	}
	if (!command_->begun()) { // its program lies where nothing answers: nobody knows when that ends
		(void)kill(command_->pid(), SIGKILL);
		return Next::end;
	}
	if (forward != 0) {
		(void)kill(command_->pid(), forward);
	}
	interrupted_ = true;
	end_of_patience_ns_ = clock_.monotonic() + ns_per_s / 2;
	return Next::go_on;
}

bool CommandEnd::hangs() {
	if (!interrupted_ || clock_.monotonic() < end_of_patience_ns_ || command_->status()) {
		return false;
	}
	end_of_patience_ns_ = clock_.monotonic() + ns_per_s / 4; // once more, should it be on its way out
	const auto status = proc_.status(static_cast<std::uint32_t>(command_->pid()));
	const bool hangs = status && status->state == 'D';
	return std::exchange(hung_, hangs) && hangs;
}

std::optional<int> CommandEnd::status(bool gone) {
	if (!command_) {
		return std::nullopt;
	}
	constexpr std::uint64_t retry_ns = 10'000'000;
	for (int i = 0; i < 100 && gone && !command_->status(); i++) {
		clock_.sleep(clock_.monotonic() + retry_ns, {});
	}
	return command_->status();
}

} // namespace loopsnoop::session
