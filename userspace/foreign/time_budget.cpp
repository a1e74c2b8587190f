// SPDX-License-Identifier: Apache-2.0
#include "foreign/time_budget.h"

#include <algorithm>

namespace loopsnoop::foreign {

std::uint64_t TimeBudget::left_ns(std::uint64_t key, std::uint64_t now_ns) const {
	const auto account = accounts_.find(key);
	if (account == accounts_.end()) {
		return full_ns;
	}
	const std::uint64_t passed = now_ns - std::min(now_ns, account->second.at_ns);
	return std::min(full_ns, account->second.left_ns + passed / refill_divisor);
}

void TimeBudget::charge(std::uint64_t key, std::uint64_t waited_ns, std::uint64_t now_ns) {
	if (waited_ns <= free_ns) {
		return;
	}
	if (accounts_.size() >= max_keys && !accounts_.contains(key)) {
		accounts_.clear();
	}
	const std::uint64_t left = left_ns(key, now_ns);
	accounts_[key] = {left - std::min(left, waited_ns - free_ns), now_ns};
}

} // namespace loopsnoop::foreign
