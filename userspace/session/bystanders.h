// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "inspect/process_signs.h"
#include "model/stall.h"
#include "session/context.h"
#include "session/process_facts.h"
#include "session/processes.h"

namespace loopsnoop::session {

// Which long waits are no stalls, because nobody waits for them: those of masters, supervisors, shells, idle workers, and of the
// threads of a scheduler. One thread. Whether a program is Go's is read once a program; all else anew each time.
class Bystanders {
public:
	Bystanders(const Context &context, Processes &processes, ProcessFacts &facts)
	    : context_(context), processes_(processes), facts_(facts) {}

	// What is known of the process of a stall; of one whose loop is known, only what its language is.
	[[nodiscard]] inspect::ProcessSigns signs_of(const Stall &stall);
	[[nodiscard]] bool waits_by_design(const Stall &stall, const inspect::ProcessSigns &signs) const;

private:
	const Context &context_;
	Processes &processes_;
	ProcessFacts &facts_;
};

} // namespace loopsnoop::session
