// SPDX-License-Identifier: Apache-2.0
// echo_server PORT: a single-threaded epoll loop on 127.0.0.1 that sends back what it gets. A request costs it an epoll_wait
// (which brings several under load), a read and a write: about the least that a loop can do.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 64, BYTES = 4096, BACKLOG = 1024 };

static void die(const char *what) {
	perror(what);
	exit(1);
}

static void watch(int queue, int fd) {
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	if (epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event) != 0) {
		die("epoll_ctl");
	}
}

static void echo(int connection) {
	char bytes[BYTES];
	ssize_t got = read(connection, bytes, sizeof bytes);
	// Messages are small, and their sender waits for the answer: a write is never cut short.
	if (got <= 0 || write(connection, bytes, (size_t)got) != got) {
		close(connection);
	}
}

int main(int argc, char **argv) {
	int port = argc == 2 ? atoi(argv[1]) : 0;
	int on = 1;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int queue = epoll_create1(EPOLL_CLOEXEC);
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event events[EVENTS];
	if (port <= 0 || port > 65535) {
		(void)fputs("usage: echo_server PORT\n", stderr);
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, BACKLOG) != 0) {
		die("listen");
	}
	watch(queue, listener);
	for (;;) {
		int count = epoll_wait(queue, events, EVENTS, -1);
		for (int index = 0; index < count; ++index) {
			int fd = events[index].data.fd;
			if (fd != listener) {
				echo(fd);
				continue;
			}
			fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
			if (fd >= 0) {
				(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
				watch(queue, fd);
			}
		}
		if (count < 0 && errno != EINTR) {
			die("epoll_wait");
		}
	}
}
