// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "truth.h"
#include "waits.h"

struct locks {
	pthread_mutex_t mutex;
	pthread_rwlock_t rwlock;
	pthread_cond_t changed;
	sem_t semaphore;
	pthread_barrier_t held; // the holder has the mutex
};

static void make_locks(struct wait *wait) {
	struct locks *locks = calloc(1, sizeof *locks);
	if (locks == NULL) {
		die("calloc");
	}
	pthread_mutexattr_t kind;
	pthread_mutexattr_init(&kind);
	if (strcmp(wait->kind->name, "mutex_recursive") == 0) {
		pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
	} else if (strcmp(wait->kind->name, "mutex_checking") == 0) {
		pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK);
	} else if (strcmp(wait->kind->name, "mutex_pi") == 0) {
		pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT);
	} else if (strcmp(wait->kind->name, "mutex_robust") == 0) {
		pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
	}
	pthread_mutex_init(&locks->mutex, &kind);
	pthread_rwlock_init(&locks->rwlock, NULL);
	pthread_cond_init(&locks->changed, NULL);
	sem_init(&locks->semaphore, 0, 0);
	pthread_barrier_init(&locks->held, NULL, 2);
	wait->lock = locks;
}

static void *hold_mutex(void *argument) {
	struct wait *wait = argument;
	struct locks *locks = wait->lock;
	pthread_setname_np(pthread_self(), "holder");
	pthread_mutex_lock(&locks->mutex);
	(void)snprintf(
	    wait->resource, sizeof wait->resource,
	    "{\"kind\":\"futex\",\"address\":\"%p\",\"lock\":\"pthread_mutex\",\"holder\":{\"tid\":%d,\"thread\":\"holder\"}}",
	    (void *)&locks->mutex, (int)syscall(SYS_gettid));
	int duration = wait->ms;
	pthread_barrier_wait(&locks->held);
	sleep_ms(duration);
	pthread_mutex_unlock(&locks->mutex);
	return NULL;
}

static void have_mutex_held(struct wait *wait) {
	struct locks *locks = wait->lock;
	pthread_t holder;
	if (pthread_create(&holder, NULL, hold_mutex, wait) != 0) {
		die("pthread_create");
	}
	pthread_detach(holder);
	pthread_barrier_wait(&locks->held);
}

BLOCKS static void block_in_mutex(struct wait *wait) {
	struct locks *locks = wait->lock;
	wait->line = __LINE__, pthread_mutex_lock(&locks->mutex);
	pthread_mutex_unlock(&locks->mutex);
}

static void *hold_rwlock(void *argument) {
	struct wait *wait = argument;
	struct locks *locks = wait->lock;
	pthread_setname_np(pthread_self(), "writer");
	pthread_rwlock_wrlock(&locks->rwlock);
	(void)snprintf(wait->resource, sizeof wait->resource, "{\"kind\":\"futex\",\"holder\":{\"tid\":%d,\"thread\":\"writer\"}}",
	               (int)syscall(SYS_gettid));
	int duration = wait->ms;
	pthread_barrier_wait(&locks->held);
	sleep_ms(duration);
	pthread_rwlock_unlock(&locks->rwlock);
	return NULL;
}

static void have_rwlock_held(struct wait *wait) {
	struct locks *locks = wait->lock;
	pthread_t writer;
	if (pthread_create(&writer, NULL, hold_rwlock, wait) != 0) {
		die("pthread_create");
	}
	pthread_detach(writer);
	pthread_barrier_wait(&locks->held);
}

BLOCKS static void block_in_rdlock(struct wait *wait) {
	struct locks *locks = wait->lock;
	wait->line = __LINE__, pthread_rwlock_rdlock(&locks->rwlock);
	pthread_rwlock_unlock(&locks->rwlock);
}

BLOCKS static void block_in_wrlock(struct wait *wait) {
	struct locks *locks = wait->lock;
	wait->line = __LINE__, pthread_rwlock_wrlock(&locks->rwlock);
	pthread_rwlock_unlock(&locks->rwlock);
}

static struct timespec deadline_after(int milliseconds) {
	int64_t deadline_ns = clock_ns(CLOCK_REALTIME) + milliseconds * 1000000LL;
	return (struct timespec){deadline_ns / 1000000000, deadline_ns % 1000000000};
}

// A lock wait with a time-out is a lock wait all the same.
BLOCKS static void block_in_cond_timedwait(struct wait *wait) {
	struct locks *locks = wait->lock;
	struct timespec deadline = deadline_after(wait->ms);
	pthread_mutex_lock(&locks->mutex);
	wait->line = __LINE__, pthread_cond_timedwait(&locks->changed, &locks->mutex, &deadline);
	pthread_mutex_unlock(&locks->mutex);
}

static void post(struct wait *wait) {
	struct locks *locks = wait->lock;
	sem_post(&locks->semaphore);
}

static void say_futex(struct wait *wait) { (void)snprintf(wait->resource, sizeof wait->resource, "{\"kind\":\"futex\"}"); }

static void post_later(struct wait *wait) {
	say_futex(wait);
	after_a_while(wait, post);
}

BLOCKS static void block_in_sem_wait(struct wait *wait) {
	struct locks *locks = wait->lock;
	wait->line = __LINE__, sem_wait(&locks->semaphore);
	__asm__ volatile("" ::: "memory");
}

const struct wait_kind lock_waits[] = {
    {.name = "mutex", .cause = "futex", .syscalls = "futex", .set_up = make_locks, .prepare = have_mutex_held, BLOCK_IN(mutex)},
    {.name = "mutex_recursive",
     .cause = "futex",
     .syscalls = "futex",
     .set_up = make_locks,
     .prepare = have_mutex_held,
     BLOCK_IN(mutex)},
    {.name = "mutex_checking",
     .cause = "futex",
     .syscalls = "futex",
     .set_up = make_locks,
     .prepare = have_mutex_held,
     BLOCK_IN(mutex)},
    {.name = "mutex_pi",
     .cause = "futex",
     .syscalls = "futex",
     .set_up = make_locks,
     .prepare = have_mutex_held,
     BLOCK_IN(mutex)},
    {.name = "mutex_robust",
     .cause = "futex",
     .syscalls = "futex",
     .set_up = make_locks,
     .prepare = have_mutex_held,
     BLOCK_IN(mutex)},
    {.name = "rdlock",
     .cause = "futex",
     .syscalls = "futex",
     .set_up = make_locks,
     .prepare = have_rwlock_held,
     BLOCK_IN(rdlock)},
    {.name = "wrlock",
     .cause = "futex",
     .syscalls = "futex",
     .set_up = make_locks,
     .prepare = have_rwlock_held,
     BLOCK_IN(wrlock)},
    {.name = "cond_timedwait",
     .cause = "futex",
     .syscalls = "futex",
     .set_up = make_locks,
     .prepare = say_futex,
     BLOCK_IN(cond_timedwait)},
    {.name = "sem_wait", .cause = "futex", .syscalls = "futex", .set_up = make_locks, .prepare = post_later, BLOCK_IN(sem_wait)},
    {0}};
