// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <sys/wait.h>

#include "clock.h"
#include "waits.h"

static void nap(struct wait *wait) { sleep_ms(wait->ms); }

static void start_child(struct wait *wait) {
	wait->child = start_process("slow-child", nap, wait);
	(void)snprintf(wait->resource, sizeof wait->resource, "{\"kind\":\"process\",\"pid\":%d,\"comm\":\"slow-child\"}",
	               wait->child);
}

BLOCKS static void block_in_waitpid(struct wait *wait) {
	wait->line = __LINE__, waitpid(wait->child, NULL, 0);
	__asm__ volatile("" ::: "memory");
}

const struct wait_kind child_waits[] = {
    {.name = "waitpid", .cause = "child", .syscalls = "wait4", .prepare = start_child, BLOCK_IN(waitpid)}, {0}};
