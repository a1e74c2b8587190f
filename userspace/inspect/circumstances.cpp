// SPDX-License-Identifier: Apache-2.0
#include "inspect/circumstances.h"

#include <algorithm>

#include "analysis/no_end.h"
#include "analysis/pool_wait.h"
#include "inspect/peer_chain.h"

namespace loopsnoop::inspect {

bool add_circumstances(Stall &stall, const std::optional<analysis::ServingSigns> &signs, const process::ProcFs &proc,
                       Programs &programs, Resolver &resolver, Inspector &inspector) {
	if (analysis::is_startup(stall, signs)) {
		stall.startup = Startup{signs->listening, signs->age_ns};
	}
	stall.pool = analysis::find_pool_wait(stall);
	const bool peers = follow_peers(stall, proc, programs, resolver, inspector);
	stall.no_end = analysis::find_no_end(stall, is_forked_copy(proc, stall.pid));
	const auto waits_for_us = [](const PeerSnapshot &one) { return one.waits_for_us; };
	const bool ends_by_itself = stall.cause == Cause::sleep; // a lock of SQLite, say, that is tried again and again for some time
	const bool circle =
	    peers && !ends_by_itself && (waits_for_us(*stall.peer) || std::ranges::any_of(stall.beyond, waits_for_us));
	if (circle && !stall.no_end && analysis::others_wait_for_work(stall)) {
		stall.no_end = NoEnd::each_other;
	}
	return stall.startup || stall.pool || peers || stall.no_end;
}

} // namespace loopsnoop::inspect
