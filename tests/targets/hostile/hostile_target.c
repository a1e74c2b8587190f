// SPDX-License-Identifier: Apache-2.0
// hostile_target MODE …: epoll loops that stall, in processes made to cost whoever inspects them.
//   frames MS EACH FILE…     sleeps under a forged chain of frames, EACH of them in the second page of each FILE
//   stack FILE               its stack runs on into pages that are mapped from FILE: who copies it reads that file
//   threads N                among N sleeping threads whose names are control characters
//   loops N                  N threads are loops that stall
//   descriptors N            with N pipes and sockets open, or as many as its limit allows
//   mappings N FILE          with N mappings of FILE, every second one executable
//   forks, execs             while a child forks all the time, and its children end, or run this program again, at once
//   leaderless               its main thread has ended; another one is the loop
// Says "ready" once all is made; stalls 300 ms (frames: MS) again and again. Ends when it is killed.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, MAX_FRAMES = 250, SMALL_STACK = 65536, STALL_MS = 300, PAUSE_MS = 200, FORKS_AT_ONCE = 20, SPARE = 100 };

static void fail(const char *what) {
	(void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(1);
}

static void say_ready(void) {
	(void)puts("ready");
	(void)fflush(stdout);
}

static struct timespec milliseconds(long ms) { return (struct timespec){ms / 1000, ms % 1000 * 1000000}; }

// nanosleep() with another stack pointer, or another frame pointer; 0: as it is.
static void sleep_under(struct timespec duration, void *stack, void *frame) {
#if defined(__x86_64__)
	register void *new_stack __asm__("r13") = stack;
	register void *new_frame __asm__("r14") = frame;
	long result = SYS_nanosleep;
	__asm__ volatile("mov %%rsp, %%r12\n\tmov %%rbp, %%r15\n\t"
	                 "test %%r13, %%r13\n\tcmovnz %%r13, %%rsp\n\ttest %%r14, %%r14\n\tcmovnz %%r14, %%rbp\n\t"
	                 "syscall\n\tmov %%r12, %%rsp\n\tmov %%r15, %%rbp"
	                 : "+a"(result)
	                 : "D"(&duration), "S"(NULL), "r"(new_stack), "r"(new_frame)
	                 : "r12", "r15", "rcx", "r11", "memory");
#else
	(void)stack, (void)frame; // the forged stacks are made for x86-64
	(void)nanosleep(&duration, NULL);
#endif
}

static void loop(long stall_ms, void *stack, void *(*frame)(int turn, uint64_t *room)) {
	int queue = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;
	uint64_t room[2 * (MAX_FRAMES + 2)]; // above the stack pointer, where it is copied with the stack
	for (int turn = 0;; ++turn) {
		(void)epoll_wait(queue, &event, 1, PAUSE_MS);
		sleep_under(milliseconds(stall_ms), stack, frame ? frame(turn, room) : NULL);
	}
}

static char **files;
static int file_count, each;

// A chain of frames as compilers with frame pointers make it.
static void *forge(int turn, uint64_t *chain) {
	int frames = file_count * each < MAX_FRAMES ? file_count * each : MAX_FRAMES;
	for (int i = 0; i < frames; ++i) {
		chain[2 * i] = (uint64_t)&chain[2 * i + 2];
		chain[2 * i + 1] = (uint64_t)files[i / each % file_count] + 8 + (uint64_t)((turn * 7 + i * 13) % 4000);
	}
	chain[2 * frames] = chain[2 * frames + 1] = 0;
	return chain;
}

static void *map_file(const char *path, size_t bytes, int protection, off_t offset) {
	int file = open(path, O_RDONLY | O_CLOEXEC);
	void *mapped = mmap(NULL, bytes, protection, MAP_PRIVATE, file, offset);
	if (file < 0 || mapped == MAP_FAILED) {
		fail(path);
	}
	(void)close(file);
	return mapped;
}

static void *sleep_or_loop(void *number) {
	char name[16];
	(void)snprintf(name, sizeof name, "\x1b[3%dm\"\n<%ld", (int)((long)number % 8), (long)number % 1000);
	(void)prctl(PR_SET_NAME, name);
	if ((long)number < 0) {
		loop(STALL_MS, NULL, NULL);
	}
	for (;;) {
		(void)pause();
	}
	return NULL;
}

static void start_threads(long count, int loops) {
	pthread_attr_t small;
	(void)pthread_attr_init(&small);
	(void)pthread_attr_setstacksize(&small, SMALL_STACK);
	for (long number = 1; number <= count; ++number) {
		pthread_t thread;
		if ((errno = pthread_create(&thread, &small, sleep_or_loop, (void *)(loops ? -number : number))) != 0) {
			fail("pthread_create");
		}
	}
}

static void open_descriptors(long count) {
	struct rlimit limit = {1048576, 1048576};
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0) { // without CAP_SYS_RESOURCE
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		count = count < (long)limit.rlim_max - SPARE ? count : (long)limit.rlim_max - SPARE;
	}
	int pair[2];
	for (long made = 0; made < count; made += 2) {
		if (made % 4 ? pipe(pair) : socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) {
			fail("pipe");
		}
	}
}

static void fork_for_ever(char *program, int exec) {
	if (fork() != 0) {
		return;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		for (int i = 0; i < FORKS_AT_ONCE; ++i) {
			if (fork() == 0) {
				if (exec) {
					(void)execl(program, program, "end", (char *)NULL);
				}
				_exit(0);
			}
		}
		while (wait(NULL) > 0) {
		}
	}
}

int main(int argc, char **argv) {
	const char *mode = argc > 1 ? argv[1] : "";
	const char *number = argc > 2 ? argv[2] : "0";
	long stall_ms = STALL_MS;
	void *stack = NULL;
	void *(*frame)(int, uint64_t *) = NULL;
	if (strcmp(mode, "end") == 0) {
		return 0;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (strcmp(mode, "frames") == 0) {
		stall_ms = atol(number);
		each = atoi(argv[3]);
		file_count = argc - 4;
		files = calloc((size_t)file_count, sizeof *files);
		for (int i = 0; i < file_count; ++i) {
			files[i] = map_file(argv[4 + i], PAGE, PROT_READ | PROT_EXEC, PAGE);
		}
		frame = forge;
	} else if (strcmp(mode, "stack") == 0) {
		// The first part is memory, the second the file's; the stack pointer is a little below the border.
		enum { HALF = 1 << 19, BELOW = 512 };
		char *both = mmap(NULL, 2 * HALF, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		int file = open(argv[2], O_RDONLY | O_CLOEXEC);
		if (both == MAP_FAILED || file < 0 ||
		    mmap(both + HALF, HALF, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, 0) == MAP_FAILED) {
			fail(argv[2]);
		}
		stack = both + HALF - BELOW;
	} else if (strcmp(mode, "threads") == 0 || strcmp(mode, "loops") == 0) {
		start_threads(atol(number), strcmp(mode, "loops") == 0);
	} else if (strcmp(mode, "descriptors") == 0) {
		open_descriptors(atol(number));
	} else if (strcmp(mode, "mappings") == 0) {
		for (long i = 0; i < atol(number); ++i) {
			(void)map_file(argv[3], PAGE, i % 2 ? PROT_READ | PROT_EXEC : PROT_READ, i % 2 * 2 * PAGE);
		}
	} else if (strcmp(mode, "forks") == 0 || strcmp(mode, "execs") == 0) {
		fork_for_ever(argv[0], strcmp(mode, "execs") == 0);
	} else if (strcmp(mode, "leaderless") == 0) {
		start_threads(1, 1);
		say_ready();
		(void)syscall(SYS_exit, 0);
	}
	say_ready();
	loop(stall_ms, stack, frame);
}
