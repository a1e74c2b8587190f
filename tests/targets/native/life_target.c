// SPDX-License-Identifier: Apache-2.0
// life_target MODE …: epoll loops whose process does not stay what it is. Each says "ready" when it loops and acts at "go".
//   exit N              ends with status N
//   exec PROGRAM …      becomes another program, keeping stdin and stdout
//   prefork             forks two workers that loop and block for 200 ms, 5 times each; the parent loops on. Says "worker PID"
//   for
//                       each, "done" when both have ended
//   freeze              blocks for an hour in a sleep, saying "frozen" just before
//   start-up            no loop at all: connects to an address that never answers, as its first and only deed
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blocks.h"
#include "clock.h"
#include "truth.h"

enum { WORKERS = 2, ROUNDS = 5, BLOCK_MS = 200, HOUR_MS = 3600000 };

static int open_queue(int fd) {
	int queue = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};
	if (fd >= 0 && epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event) != 0) {
		die("epoll_ctl");
	}
	return queue;
}

static int idle(int queue, int timeout_ms) {
	struct epoll_event event;
	return epoll_wait(queue, &event, 1, timeout_ms) > 0;
}

BLOCKS static void block_in_worker(void) {
	sleep_ms(BLOCK_MS);
	__asm__ volatile("" ::: "memory");
}

BLOCKS static void block_for_an_hour(void) {
	sleep_ms(HOUR_MS);
	__asm__ volatile("" ::: "memory");
}

static void work(void) {
	int queue = open_queue(-1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int round = 0; round < ROUNDS; ++round) {
		for (int turn = 0; turn < 5; ++turn) {
			idle(queue, 10);
		}
		block_in_worker();
	}
	idle(queue, 50);
	_exit(0);
}

static void prefork(int queue) {
	for (int number = 0; number < WORKERS; ++number) {
		pid_t worker = fork();
		if (worker == 0) {
			work();
		}
		(void)printf("worker %d\n", worker);
		(void)fflush(stdout);
	}
	int ended = 0;
	while (ended < WORKERS) {
		idle(queue, 10);
		while (waitpid(-1, NULL, WNOHANG) > 0) {
			++ended;
		}
	}
	say("done");
}

BLOCKS static void connect_at_start(int socket_fd, struct sockaddr_in *address) {
	(void)connect(socket_fd, (struct sockaddr *)address, sizeof *address);
	__asm__ volatile("" ::: "memory");
}

// A listener whose queue is full never answers.
static void hang_at_start(void) {
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 0) != 0) {
		die("listen");
	}
	getsockname(listener, (struct sockaddr *)&address, &length);
	for (int filler = 0; filler < 3; ++filler) {
		(void)connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), (struct sockaddr *)&address, length);
	}
	sleep_ms(20);
	(void)printf("frozen 127.0.0.1:%d\n", ntohs(address.sin_port));
	(void)fflush(stdout);
	connect_at_start(socket(AF_INET, SOCK_STREAM, 0), &address);
}

int main(int argc, char **argv) {
	const char *mode = argc > 1 ? argv[1] : "";
	if (strcmp(mode, "start-up") == 0) {
		hang_at_start();
		return 0;
	}
	int queue = open_queue(STDIN_FILENO);
	char word[64];
	for (int round = 0; round < 10; ++round) {
		idle(queue, 10);
	}
	say("ready");
	while (!idle(queue, 10)) {
	}
	if (read(STDIN_FILENO, word, sizeof word) <= 0) {
		return 0;
	}
	if (strcmp(mode, "exit") == 0) {
		return argc > 2 ? atoi(argv[2]) : 0;
	}
	if (strcmp(mode, "exec") == 0 && argc > 2) {
		execvp(argv[2], argv + 2);
		die(argv[2]);
	}
	if (strcmp(mode, "freeze") == 0) {
		say("frozen");
		block_for_an_hour();
	}
	if (strcmp(mode, "prefork") == 0) {
		prefork(queue);
	}
	while (!idle(queue, 1000) || read(STDIN_FILENO, word, sizeof word) > 0) {
	}
	return 0;
}
