// SPDX-License-Identifier: Apache-2.0
// scale_target LOOPS THREADS: that many epoll loops, a thread each, and THREADS more threads that sleep. Says "ready" once all
// loops go round. Then, a line each on its stdin: "go COUNT US PAUSE_MS": every loop blocks COUNT times for US microseconds, each
// time in an iteration of its own, idle for PAUSE_MS between two (0: none at all); answered, when the last has finished, by a
// line of JSON: how many iterations of at least US there were by the loops' own clocks, and when. Ends at the end of its stdin.
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { STACK_BYTES = 131072 };

struct plan {
	int count;
	int us;
	int pause_ms;
};

static int loops;
static int *start_fds;
static struct plan plan;
static atomic_int ready;
static atomic_int finished;
static atomic_llong made;
static int all_finished_fd;

static void die(const char *what) {
	perror(what);
	exit(1);
}

static int64_t now_ns(void) {
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

// Deeper than one frame, as a callback is.
__attribute__((noinline)) static void block(int us) {
	struct timespec duration = {us / 1000000, (long)(us % 1000000) * 1000};
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &duration, NULL);
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void callback(int us) {
	int64_t start_ns = now_ns();
	block(us);
	if (now_ns() - start_ns >= us * 1000LL) {
		atomic_fetch_add(&made, 1);
	}
}

static void follow_plan(int queue) {
	struct epoll_event event;
	for (int number = 0; number < plan.count; ++number) {
		(void)epoll_wait(queue, &event, 1, plan.pause_ms);
		callback(plan.us);
	}
	// The last iteration ends here, not in the work that follows.
	(void)epoll_wait(queue, &event, 1, 0);
	if (atomic_fetch_add(&finished, 1) == loops - 1) {
		(void)eventfd_write(all_finished_fd, 1);
	}
}

static void *run_loop(void *argument) {
	int number = (int)(intptr_t)argument;
	int queue = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};
	if (queue < 0 || epoll_ctl(queue, EPOLL_CTL_ADD, start_fds[number], &event) != 0) {
		die("epoll");
	}
	(void)epoll_wait(queue, &event, 1, 0);
	atomic_fetch_add(&ready, 1);
	for (;;) {
		if (epoll_wait(queue, &event, 1, -1) == 1) {
			eventfd_t value;
			(void)eventfd_read(start_fds[number], &value);
			follow_plan(queue);
		}
	}
	return NULL;
}

static void *sleep_on(void *argument) {
	for (;;) {
		(void)pause();
	}
	return argument;
}

static void start_thread(void *(*body)(void *argument), int number) {
	pthread_t thread;
	pthread_attr_t small;
	(void)pthread_attr_init(&small);
	(void)pthread_attr_setstacksize(&small, STACK_BYTES);
	errno = pthread_create(&thread, &small, body, (void *)(intptr_t)number);
	if (errno != 0) {
		die("pthread_create");
	}
	(void)pthread_detach(thread);
}

int main(int argc, char **argv) {
	int threads = argc == 3 ? atoi(argv[2]) : -1;
	char line[128];
	loops = argc == 3 ? atoi(argv[1]) : 0;
	if (loops < 1 || threads < 0) {
		(void)fputs("usage: scale_target LOOPS THREADS\n", stderr);
		return 2;
	}
	start_fds = calloc((size_t)loops, sizeof *start_fds);
	all_finished_fd = eventfd(0, EFD_CLOEXEC);
	for (int number = 0; number < loops; ++number) {
		start_fds[number] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (start_fds[number] < 0) {
			die("eventfd (is RLIMIT_NOFILE large enough?)");
		}
		start_thread(run_loop, number);
	}
	for (int number = 0; number < threads; ++number) {
		start_thread(sleep_on, number);
	}
	while (atomic_load(&ready) < loops) {
		(void)usleep(1000);
	}
	(void)puts("ready");
	(void)fflush(stdout);
	while (fgets(line, sizeof line, stdin) != NULL) {
		eventfd_t value;
		if (sscanf(line, "go %d %d %d", &plan.count, &plan.us, &plan.pause_ms) != 3) {
			(void)fprintf(stderr, "scale_target: what is %s", line);
			return 2;
		}
		atomic_store(&finished, 0);
		atomic_store(&made, 0);
		int64_t start_ns = now_ns();
		for (int number = 0; number < loops; ++number) {
			(void)eventfd_write(start_fds[number], 1);
		}
		(void)eventfd_read(all_finished_fd, &value);
		(void)printf("{\"made\": %lld, \"start_ns\": %lld, \"end_ns\": %lld}\n", (long long)atomic_load(&made),
		             (long long)start_ns, (long long)now_ns());
		(void)fflush(stdout);
	}
	return 0;
}
