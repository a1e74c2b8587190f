// SPDX-License-Identifier: Apache-2.0
// echo_load PORT CONNECTIONS SECONDS: load on echo_server. Each connection has one 64-byte message under way; how many came back,
// in how long, and how long each took, as one line of JSON.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// Latencies are counted by microsecond; what takes longer than the last one counts as that.
enum { EVENTS = 64, MESSAGE = 64, BUCKETS = 2000000, MAX_CONNECTIONS = 1000, GRACE_MS = 1000 };

static int64_t sent_ns[MAX_CONNECTIONS];
static int partial[MAX_CONNECTIONS];
static int fds[MAX_CONNECTIONS];
static uint32_t *buckets;

static void die(const char *what) {
	perror(what);
	exit(1);
}

static int64_t now_ns(void) {
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void send_one(int number) {
	static const char message[MESSAGE] = "loopsnoop";
	sent_ns[number] = now_ns();
	if (write(fds[number], message, sizeof message) != sizeof message) {
		die("write");
	}
}

static void connect_all(int queue, int port, int connections) {
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1;
	for (int number = 0; number < connections; ++number) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = number};
		fds[number] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fds[number], (struct sockaddr *)&address, sizeof address) != 0 ||
		    setsockopt(fds[number], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
		    epoll_ctl(queue, EPOLL_CTL_ADD, fds[number], &event) != 0) {
			die("connect");
		}
	}
}

static int64_t percentile_us(int64_t requests, int permille) {
	int64_t wanted = (requests * permille + 999) / 1000;
	int64_t seen = 0;
	for (int us = 0; us < BUCKETS; ++us) {
		seen += buckets[us];
		if (seen >= wanted) {
			return us;
		}
	}
	return BUCKETS - 1;
}

int main(int argc, char **argv) {
	int connections = argc == 4 ? atoi(argv[2]) : 0;
	double seconds = argc == 4 ? atof(argv[3]) : 0;
	int queue = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[EVENTS];
	if (connections < 1 || connections > MAX_CONNECTIONS || seconds <= 0) {
		(void)fprintf(stderr, "usage: echo_load PORT CONNECTIONS(1-%d) SECONDS\n", MAX_CONNECTIONS);
		return 2;
	}
	buckets = calloc(BUCKETS, sizeof *buckets);
	if (buckets == NULL) {
		die("calloc");
	}
	connect_all(queue, atoi(argv[1]), connections);
	int64_t start = now_ns();
	int64_t end = start + (int64_t)(seconds * 1e9);
	int64_t requests = 0;
	int64_t last = start;
	int under_way = connections;
	for (int number = 0; number < connections; ++number) {
		send_one(number);
	}
	// Past the end, what is under way is waited for: every request that the server worked on is counted.
	while (under_way > 0 && last < end + GRACE_MS * 1000000LL) {
		int count = epoll_wait(queue, events, EVENTS, GRACE_MS);
		if (count == 0 || (count < 0 && errno != EINTR)) {
			break;
		}
		for (int index = 0; index < count; ++index) {
			char bytes[MESSAGE];
			int number = events[index].data.fd;
			ssize_t got = read(fds[number], bytes, sizeof bytes);
			if (got <= 0) {
				(void)fputs("echo_load: the server closed a connection\n", stderr);
				return 1;
			}
			partial[number] += (int)got;
			if (partial[number] < MESSAGE) {
				continue;
			}
			partial[number] = 0;
			last = now_ns();
			int64_t us = (last - sent_ns[number]) / 1000;
			++buckets[us < BUCKETS ? us : BUCKETS - 1];
			++requests;
			if (last < end) {
				send_one(number);
			} else {
				--under_way;
			}
		}
	}
	(void)printf("{\"requests\": %lld, \"seconds\": %.6f, \"p50_us\": %lld, \"p99_us\": %lld, \"lost\": %d}\n",
	             (long long)requests, (double)(last - start) / 1e9, (long long)percentile_us(requests, 500),
	             (long long)percentile_us(requests, 990), under_way);
	return requests > 0 ? 0 : 1;
}
