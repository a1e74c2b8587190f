// SPDX-License-Identifier: Apache-2.0
// computes N: the main thread and N others compute for ever, each in a function by its kind: every third one sorts, the next one
// hashes, the next one does both in turns. Says "ready" when all of them do.
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "truth.h"

enum { ROWS = 4096 };

static atomic_int computing;
volatile uint64_t result; // so that all of it has to be computed

__attribute__((noinline)) static uint64_t sort_rows(uint64_t *rows, int passes) {
	for (int pass = 0; passes == 0 || pass < passes; pass++) {
		for (int i = 1; i < ROWS; i++) {
			const uint64_t smaller = rows[i] < rows[i - 1] ? rows[i] : rows[i - 1];
			rows[i] ^= smaller + (uint64_t)i;
		}
	}
	return rows[0];
}

__attribute__((noinline)) static uint64_t hash_rows(const uint64_t *rows, int passes) {
	uint64_t hash = 14695981039346656037ULL;
	for (int pass = 0; passes == 0 || pass < passes; pass++) {
		for (int i = 0; i < ROWS; i++) {
			hash = (hash ^ rows[i]) * 1099511628211ULL;
		}
	}
	return hash;
}

static void *compute(void *kind) {
	uint64_t *rows = calloc(ROWS, sizeof *rows);
	if (rows == NULL) {
		die("calloc");
	}
	atomic_fetch_add(&computing, 1);
	switch ((uintptr_t)kind % 3) {
	case 0: result = sort_rows(rows, 0); break;
	case 1: result = hash_rows(rows, 0); break;
	default:
		for (;;) {
			result = sort_rows(rows, 100);
			result = hash_rows(rows, 100);
		}
	}
	return NULL;
}

static void *announce(void *others) {
	while (atomic_load(&computing) < (int)(uintptr_t)others + 1) {
	}
	(void)printf("ready\n");
	(void)fflush(stdout);
	return NULL;
}

int main(int argc, char **argv) {
	const int others = argc > 1 ? atoi(argv[1]) : 0;
	pthread_t thread;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 1; i <= others; i++) {
		if (pthread_create(&thread, NULL, compute, (void *)(uintptr_t)i) != 0) {
			die("pthread_create");
		}
	}
	if (pthread_create(&thread, NULL, announce, (void *)(uintptr_t)others) != 0) {
		die("pthread_create");
	}
	compute((void *)0);
	return 0;
}
