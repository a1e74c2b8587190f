// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "truth.h"
#include "waits.h"

static int listen_on_loopback(int backlog, struct sockaddr_in *address) {
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof *address;
	if (bind(listener, (struct sockaddr *)address, length) != 0 || listen(listener, backlog) != 0 ||
	    getsockname(listener, (struct sockaddr *)address, &length) != 0) {
		die("listen");
	}
	return listener;
}

// The other end: answers each number of milliseconds after that many.
static void serve(struct wait *wait) {
	int connection = wait->other_fd;
	int duration;
	while (read(connection, &duration, sizeof duration) == sizeof duration) {
		sleep_ms(duration);
		if (write(connection, "x", 1) != 1) {
			break;
		}
	}
}

static void accept_and_serve(struct wait *wait) {
	wait->other_fd = accept(wait->other_fd, NULL, NULL);
	serve(wait);
}

static void connect_to_peer(struct wait *wait) {
	struct sockaddr_in address;
	struct sockaddr_in own = {0};
	socklen_t length = sizeof own;
	wait->other_fd = listen_on_loopback(8, &address);
	wait->child = start_process("slow-peer", accept_and_serve, wait);
	close(wait->other_fd);
	wait->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(wait->fd, (struct sockaddr *)&address, sizeof address) != 0) {
		die("connect");
	}
	getsockname(wait->fd, (struct sockaddr *)&own, &length);
	(void)snprintf(wait->resource, sizeof wait->resource,
	               "{\"kind\":\"socket\",\"fd\":%d,\"protocol\":\"tcp\",\"local\":\"127.0.0.1:%d\",\"remote\":\"127.0.0.1:%d\","
	               "\"state\":\"ESTABLISHED\",\"peer\":{\"pid\":%d,\"comm\":\"slow-peer\"}}",
	               wait->fd, ntohs(own.sin_port), ntohs(address.sin_port), wait->child);
}

static void pair_with_peer(struct wait *wait) {
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		die("socketpair");
	}
	wait->fd = ends[0];
	wait->other_fd = ends[1];
	wait->child = start_process("slow-peer", serve, wait);
	close(ends[1]);
	(void)snprintf(wait->resource, sizeof wait->resource, "{\"kind\":\"socket\",\"fd\":%d,\"protocol\":\"unix\"}", wait->fd);
}

static void ask(struct wait *wait) {
	if (write(wait->fd, &wait->ms, sizeof wait->ms) != sizeof wait->ms) {
		die("write");
	}
}

BLOCKS static void block_in_recv(struct wait *wait) {
	char byte;
	ssize_t got;
	wait->line = __LINE__, got = recv(wait->fd, &byte, 1, 0);
	if (got != 1) {
		die("recv");
	}
}

// A poll() on one socket inside a callback, as libpq makes it: a wait on the socket, not the loop's own poll call.
BLOCKS static void block_in_poll_on_socket(struct wait *wait) {
	struct pollfd one = {.fd = wait->fd, .events = POLLIN};
	wait->line = __LINE__, poll(&one, 1, 5000);
	block_in_recv(wait), wait->line = __LINE__ - 1;
}

// A listener whose queue is full drops every SYN: connect() sits in SYN_SENT.
static void fill_backlog(struct wait *wait) {
	struct sockaddr_in address;
	wait->other_fd = listen_on_loopback(0, &address);
	for (int index = 0; index < 3; ++index) {
		int filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(filler, (struct sockaddr *)&address, sizeof address);
	}
	wait->child = ntohs(address.sin_port);
	sleep_ms(20);
	(void)snprintf(wait->resource, sizeof wait->resource,
	               "{\"kind\":\"socket\",\"protocol\":\"tcp\",\"remote\":\"127.0.0.1:%d\",\"state\":\"SYN_SENT\"}", wait->child);
}

static void open_impatient_socket(struct wait *wait) {
	struct timeval patience = {wait->ms / 1000, (suseconds_t)(wait->ms % 1000) * 1000};
	wait->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(wait->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

BLOCKS static void block_in_connect(struct wait *wait) {
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons((uint16_t)wait->child)};
	int failed;
	wait->line = __LINE__, failed = connect(wait->fd, (struct sockaddr *)&address, sizeof address);
	if (failed == 0) {
		die("connect: the full queue took it");
	}
	// Closed at once: the resource has to be from the moment of the wait.
	close(wait->fd);
}

const struct wait_kind socket_waits[] = {
    {.name = "recv", .cause = "socket", .syscalls = "recvfrom", .set_up = connect_to_peer, .prepare = ask, BLOCK_IN(recv)},
    {.name = "recv_unix", .cause = "socket", .syscalls = "recvfrom", .set_up = pair_with_peer, .prepare = ask, BLOCK_IN(recv)},
    {.name = "poll_on_socket",
     .cause = "socket",
     .syscalls = "poll",
     .set_up = connect_to_peer,
     .prepare = ask,
     BLOCK_IN(poll_on_socket)},
    {.name = "connect",
     .cause = "socket",
     .syscalls = "connect",
     .set_up = fill_backlog,
     .prepare = open_impatient_socket,
     BLOCK_IN(connect)},
    {0}};
