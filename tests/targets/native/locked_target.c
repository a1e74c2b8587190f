// SPDX-License-Identifier: Apache-2.0
// Threads that wait for each other in one known way. Says "ready" and the truth as JSON once they are on their way there:
// which thread waits for which mutex, and who holds it.
//   locked two|three|one   a deadlock of that many threads over mutexes; the main thread waits for the first of them
//   locked pipe            the main thread waits for a mutex of a thread that writes to a full pipe, which a child does not read
//   locked churn           two threads that take two mutexes one after the other, all the time: never a deadlock
//   locked idle N          N threads that wait for a condition
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 3 };

static pthread_mutex_t mutexes[MOST] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t all_hold;
static int members;
static pid_t tids[MOST];

static pid_t own_tid(void) { return (pid_t)syscall(SYS_gettid); }

static void say_ready(int waits_for_first) {
	printf("ready {\"main\": {\"tid\": %d, \"waits_for\": %s}, \"threads\": [", own_tid(), waits_for_first ? "0" : "null");
	for (int i = 0; i < members; i++)
		printf("%s{\"tid\": %d, \"holds\": \"0x%lx\"}", i ? ", " : "", tids[i], (unsigned long)&mutexes[i]);
	printf("]}\n");
	fflush(stdout);
}

static void start(void *(*body)(void *), long number, const char *name) {
	pthread_t thread;
	char full[64];

	if (pthread_create(&thread, NULL, body, (void *)number) != 0) {
		perror("pthread_create");
		exit(1);
	}
	snprintf(full, sizeof(full), "%s_%ld", name, number);
	full[15] = 0; // the longest name there is
	pthread_setname_np(thread, full);
}

__attribute__((noinline)) static void wait_for_next(long number) {
	pthread_mutex_lock(&mutexes[(number + 1) % members]);
	__asm__ volatile("" ::: "memory"); // no tail call: this frame is to be seen
}

static void *member(void *argument) {
	long number = (long)argument;

	pthread_mutex_lock(&mutexes[number]);
	tids[number] = own_tid();
	pthread_barrier_wait(&all_hold);
	wait_for_next(number);
	return NULL;
}

static void deadlock(int count) {
	members = count;
	pthread_barrier_init(&all_hold, NULL, (unsigned)count + 1);
	for (long i = 0; i < count; i++)
		start(member, i, "member");
	pthread_barrier_wait(&all_hold);
	say_ready(1);
	pthread_mutex_lock(&mutexes[0]);
}

static int full_pipe;

static void *writer(void *argument) {
	char bytes[65536];

	(void)argument;
	memset(bytes, 'x', sizeof(bytes));
	pthread_mutex_lock(&mutexes[0]);
	tids[0] = own_tid();
	pthread_barrier_wait(&all_hold);
	while (write(full_pipe, bytes, sizeof(bytes)) > 0)
		;
	return NULL;
}

static void write_to_full_pipe(void) {
	int ends[2];

	if (pipe(ends) != 0)
		exit(1);
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, 9);
		prctl(PR_SET_NAME, "lazy_reader");
		close(ends[1]);
		for (;;)
			pause();
	}
	close(ends[0]);
	full_pipe = ends[1];
	members = 1;
	pthread_barrier_init(&all_hold, NULL, 2);
	start(writer, 0, "writer");
	pthread_barrier_wait(&all_hold);
	say_ready(1);
	pthread_mutex_lock(&mutexes[0]);
}

static void *churner(void *argument) {
	long number = (long)argument;

	for (unsigned round = 0;; round++) {
		for (long i = 0; i < 2; i++) {
			pthread_mutex_t *mutex = &mutexes[(i + number) % 2];

			pthread_mutex_lock(mutex);
			usleep(1000U << (round + 2 * number) % 5); // shorter and longer than it takes to read both
			pthread_mutex_unlock(mutex);
		}
	}
	return NULL;
}

static void *idler(void *argument) {
	(void)argument;
	pthread_mutex_lock(&mutexes[0]);
	for (;;)
		pthread_cond_wait(&never, &mutexes[0]);
	return NULL;
}

int main(int argc, char **argv) {
	const char *mode = argc > 1 ? argv[1] : "";

	if (!strcmp(mode, "one"))
		deadlock(1);
	else if (!strcmp(mode, "two"))
		deadlock(2);
	else if (!strcmp(mode, "three"))
		deadlock(3);
	else if (!strcmp(mode, "pipe"))
		write_to_full_pipe();
	else if (!strcmp(mode, "churn") || !strcmp(mode, "idle")) {
		long count = argc > 2 ? atol(argv[2]) : 2;

		for (long i = 0; i < count; i++)
			start(*mode == 'c' ? churner : idler, i, *mode == 'c' ? "churner" : "idler");
		say_ready(0);
		for (;;)
			pause();
	} else {
		fprintf(stderr, "no such mode: %s\n", mode);
		return 2;
	}
	return 0;
}
