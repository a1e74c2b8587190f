// SPDX-License-Identifier: Apache-2.0
#include "waits.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "clock.h"
#include "truth.h"

const struct wait_kind *const wait_tables[] = {time_waits, pipe_waits, lock_waits, socket_waits, file_waits, child_waits, NULL};

const struct wait_kind *wait_kind_named(const char *name) {
	for (const struct wait_kind *const *table = wait_tables; *table != NULL; ++table) {
		for (const struct wait_kind *kind = *table; kind->name != NULL; ++kind) {
			if (strcmp(kind->name, name) == 0) {
				return kind;
			}
		}
	}
	return NULL;
}

struct delayed {
	struct wait *wait;
	void (*action)(struct wait *wait);
	int ms;
};

static void *run_delayed(void *argument) {
	struct delayed delayed = *(struct delayed *)argument;
	free(argument);
	pthread_setname_np(pthread_self(), "releaser");
	sleep_ms(delayed.ms);
	delayed.action(delayed.wait);
	return NULL;
}

void after_a_while(struct wait *wait, void (*action)(struct wait *wait)) {
	struct delayed *delayed = malloc(sizeof *delayed);
	if (delayed == NULL) {
		die("malloc");
	}
	*delayed = (struct delayed){wait, action, wait->ms};
	pthread_t thread;
	if (pthread_create(&thread, NULL, run_delayed, delayed) != 0) {
		die("pthread_create");
	}
	pthread_detach(thread);
}

pid_t start_process(const char *name, void (*body)(struct wait *wait), struct wait *wait) {
	pid_t child = fork();
	if (child < 0) {
		die("fork");
	}
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		close(STDIN_FILENO);
		close(STDOUT_FILENO);
		body(wait);
		_exit(0);
	}
	return child;
}
