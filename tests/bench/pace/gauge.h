// SPDX-License-Identifier: Apache-2.0
// How fast the core is: a stretch of instructions of which it does several at once. A neighbour on the other hardware thread of
// the core makes it nearly twice as long, as it does most work (a chain of dependent ones hardly notices), and no system call,
// which would take longer once somebody traces it.
#pragma once

enum { GAUGE_TURNS = 12000 };

static inline void gauge_stretch(void) {
	unsigned long a = 1, b = 2, c = 3, d = 4, e = 5, f = 6;
	for (int turn = 0; turn < GAUGE_TURNS; ++turn) {
		__asm__ volatile("add $1,%0\n\txor $3,%1\n\tadd $5,%2\n\txor $7,%3\n\tadd $9,%4\n\txor $11,%5\n\t"
		                 "add $1,%0\n\txor $3,%1\n\tadd $5,%2\n\txor $7,%3\n\tadd $9,%4\n\txor $11,%5"
		                 : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
	}
}
