// SPDX-License-Identifier: Apache-2.0
#pragma once

// How long event `index` blocks, in ms: most are over the tests' threshold of 100 ms, every fifth is well below it.
// The same numbers as in ../python/plan.py.
static inline int planned_ms(int index) {
	if (index % 5 == 3) {
		return 20 + index * 13 % 41;
	}
	return 120 + index * 37 % 141;
}

enum { PLAN_IDLE_MS = 30 };
