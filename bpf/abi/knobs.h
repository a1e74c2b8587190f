/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What user space sets before the programs are loaded; constant to the verifier, which drops what they switch off. */
#pragma once

#include <linux/types.h>

struct ls_knobs {
	__u64 threshold_ns;
	__u64 floor_ns;    /* waits in a row shorter than this are not worth a record */
	__u32 stack_bytes; /* multiple of LS_PAGE_BYTES, <= LS_STACK_BYTES_MAX */
	__u32 slots;       /* entries of loops, configs, captures; <= LS_SLOTS_MAX */
	__u32 pid_level;   /* depth of loopsnoop's own pid namespace */
	__u32 token_ns;    /* refill of a thread's token bucket: one each so many ns */
	__u32 capture_burst;
	__u32 sample_token_ns; /* of a thread: one sample each so many ns, after a burst of some; 0: all of them */
	__u32 discover;        /* 1: threads that nobody follows are reported when they poll like a loop */
	__u32 slot_share;      /* a process that has so many slots gets none of the last ones; 0: it may have all */
	__u32 free_slots;      /* that are kept for those with fewer */
	__u32 pad;
};
