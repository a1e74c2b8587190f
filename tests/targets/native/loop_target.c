// SPDX-License-Identifier: Apache-2.0
// loop_target --truth FILE --poll KIND --wait KIND [--count N] [--loops 1|2] [--thread] [--ms N[,N…]] [--freeze]
//
// A loop that waits in the poll call asked for, and blocks N times in the way asked for, 30 ms of idle between. It says
// "ready" once it loops, begins at "go" on its stdin, says "done" after its last event and ends at the end of its stdin.
// --thread: the loop is not the main thread's. --loops 2: two loops in two threads. --ms: blocks
// for that long, these in turn, instead of as planned. --freeze: blocks for an hour, and writes that down before.
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "plan.h"
#include "poll_calls.h"
#include "truth.h"
#include "waits.h"

enum { MAX_LOOPS = 8, MAX_FIXED = 32, HOUR_MS = 3600000 };

static const char *truth_path;
static const struct poll_kind *poll_kind;
static const struct wait_kind *wait_kind;
static int count = 13;
static int loops = 1;
static int in_thread;
static int freeze;
static int fixed_ms[MAX_FIXED];
static int fixed;
static int control_fds[MAX_LOOPS][2];
static atomic_int ready;
static atomic_int finished;

static void block_once(struct wait *wait, int milliseconds) {
	struct truth_event event = {.tid = (int)syscall(SYS_gettid),
	                            .cause = wait->kind->cause,
	                            .syscalls = wait->kind->syscalls,
	                            .file = wait->kind->file,
	                            .function = wait->kind->function,
	                            .pieces = !wait->kind->many_pieces};
	wait->ms = milliseconds;
	event.callback_start_ns = monotonic_ns();
	if (wait->kind->prepare != NULL) {
		wait->kind->prepare(wait);
	}
	if (freeze) {
		truth_note("{\"kind\":\"freezes\",\"start_ns\":%lld,\"tid\":%d,\"cause\":\"%s\",\"function\":\"%s\",\"file\":\"%s\","
		           "\"line\":null,"
		           "\"resource\":%s}",
		           (long long)monotonic_ns(), event.tid, event.cause, event.function, event.file,
		           wait->resource[0] != '\0' ? wait->resource : "null");
	}
	int64_t cpu_before_ns = thread_cpu_ns();
	event.start_ns = monotonic_ns();
	wait->kind->block(wait);
	event.end_ns = monotonic_ns();
	event.cpu_ns = thread_cpu_ns() - cpu_before_ns;
	event.line = wait->line;
	(void)snprintf(event.resource, sizeof event.resource, "%s", wait->resource);
	event.callback_end_ns = monotonic_ns();
	truth_write(&event);
}

// Idles in the loop's own poll call for about that long: several short iterations.
static int idle(struct poll_call *call, int milliseconds) {
	int64_t end_ns = monotonic_ns() + milliseconds * 1000000LL;
	while (monotonic_ns() < end_ns) {
		if (poll_kind->wait(call, 10)) {
			return 1;
		}
	}
	return 0;
}

// 0 at the end of the stream.
static int word_from(int fd, char *word, size_t size) {
	ssize_t got = read(fd, word, size - 1);
	word[got > 0 ? got : 0] = '\0';
	return got > 0;
}

static void *run_loop(void *argument) {
	int number = (int)(intptr_t)argument;
	int control = control_fds[number][0];
	struct wait *wait = calloc(1, sizeof *wait);
	struct poll_call *call = poll_kind->open(control);
	char word[64];
	if (call == NULL) {
		die(poll_kind->name);
	}
	if (in_thread) {
		pthread_setname_np(pthread_self(), "loop");
	}
	wait->kind = wait_kind;
	(void)snprintf(wait->path, sizeof wait->path, "%.200s.%d.scratch", truth_path, number);
	if (wait_kind->set_up != NULL) {
		wait_kind->set_up(wait);
	}
	truth_note("{\"kind\":\"loop\",\"pid\":%d,\"tid\":%d,\"queue_fd\":%d}", getpid(), (int)syscall(SYS_gettid), call->queue_fd);
	idle(call, 100);
	if (atomic_fetch_add(&ready, 1) == loops - 1) {
		say("ready");
	}
	while (!idle(call, 1000)) {
	}
	word_from(control, word, sizeof word);
	for (int index = 0; index < count; ++index) {
		idle(call, PLAN_IDLE_MS);
		block_once(wait, freeze ? HOUR_MS : fixed > 0 ? fixed_ms[index % fixed] : planned_ms(index + number * 3));
	}
	idle(call, PLAN_IDLE_MS);
	if (atomic_fetch_add(&finished, 1) == loops - 1) {
		say("done");
	}
	while (!idle(call, 1000) || word_from(control, word, sizeof word)) {
	}
	return NULL;
}

static void parse(int argc, char **argv) {
	static const struct option options[] = {
	    {"truth", required_argument, NULL, 'o'}, {"poll", required_argument, NULL, 'p'},  {"wait", required_argument, NULL, 'w'},
	    {"count", required_argument, NULL, 'n'}, {"loops", required_argument, NULL, 'l'}, {"thread", no_argument, NULL, 't'},
	    {"freeze", no_argument, NULL, 'f'},      {"ms", required_argument, NULL, 'm'},    {0}};
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'o': truth_path = optarg; break;
		case 'p': poll_kind = poll_kind_named(optarg); break;
		case 'w': wait_kind = wait_kind_named(optarg); break;
		case 'n': count = atoi(optarg); break;
		case 'l': loops = atoi(optarg); break;
		case 't': in_thread = 1; break;
		case 'f': freeze = 1; break;
		case 'm':
			for (char *rest = NULL, *word = strtok_r(optarg, ",", &rest); word != NULL && fixed < MAX_FIXED;
			     word = strtok_r(NULL, ",", &rest)) {
				fixed_ms[fixed++] = atoi(word);
			}
			break;
		default: exit(2);
		}
	}
	if (truth_path == NULL || poll_kind == NULL || wait_kind == NULL || loops < 1 || loops > MAX_LOOPS) {
		(void)fprintf(stderr,
		              "usage: loop_target --truth FILE --poll KIND --wait KIND [--count N] [--loops N] [--thread] [--freeze]\n");
		exit(2);
	}
}

// Hands what comes on stdin to every loop; at its end, closes their ends.
static void pass_on_stdin(void) {
	char word[64];
	ssize_t got;
	while ((got = read(STDIN_FILENO, word, sizeof word)) > 0) {
		for (int number = 0; number < loops; ++number) {
			(void)!write(control_fds[number][1], word, (size_t)got);
		}
	}
	for (int number = 0; number < loops; ++number) {
		close(control_fds[number][1]);
	}
}

int main(int argc, char **argv) {
	parse(argc, argv);
	(void)signal(SIGPIPE, SIG_IGN);
	truth_open(truth_path);
	if (!in_thread && loops == 1) {
		control_fds[0][0] = STDIN_FILENO;
		run_loop(NULL);
		return 0;
	}
	in_thread = 1;
	pthread_t threads[MAX_LOOPS];
	for (int number = 0; number < loops; ++number) {
		if (pipe(control_fds[number]) != 0 || pthread_create(&threads[number], NULL, run_loop, (void *)(intptr_t)number) != 0) {
			die("loop thread");
		}
	}
	pass_on_stdin();
	for (int number = 0; number < loops; ++number) {
		pthread_join(threads[number], NULL);
	}
	return 0;
}
