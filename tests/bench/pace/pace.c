// SPDX-License-Identifier: Apache-2.0
// pace wait LIMIT_NS PATIENCE_MS: ends once the core has been at its own speed for some time, the gauge below the limit, or after
// that time.
//
// pace SERVER COUNTED INTERVAL_US: while a server is under load, how far it is and how fast the core is at that moment, a line
// each time, until COUNTED ends or SIGTERM comes: time since the start, ns · CPU time of SERVER, ns · the same after the gauge ·
// bytes written by COUNTED · gauge, ns.
//
// To be started on the server's core. The bytes that COUNTED has given to write(2) and its like show how far the server is, since
// each request has as many; so COUNTED is the load generator or the server, whichever of them uses those calls and not send(2).
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gauge.h"

enum { LINES_BYTES = 1 << 20 };

static volatile sig_atomic_t over;

static void end(int number) {
	(void)number;
	over = 1;
}

static long long read_clock(clockid_t clock) {
	struct timespec time;
	return clock_gettime(clock, &time) == 0 ? time.tv_sec * 1000000000LL + time.tv_nsec : -1;
}

static long long gauge(void) {
	long long before = read_clock(CLOCK_THREAD_CPUTIME_ID);
	gauge_stretch();
	return read_clock(CLOCK_THREAD_CPUTIME_ID) - before;
}

// Without a pause: a core that has only just woken up may be another one of the host's in a moment.
static void wait_for_quick(long long limit_ns, long long patience_ms) {
	enum { IN_A_ROW = 1000, PAUSE_US = 20000 };
	long long until = read_clock(CLOCK_MONOTONIC) + patience_ms * 1000000;
	while (read_clock(CLOCK_MONOTONIC) < until) {
		int quick = 0, slow = 0;
		while (quick < IN_A_ROW && slow <= IN_A_ROW / 20) {
			*(gauge() <= limit_ns ? &quick : &slow) += 1;
		}
		if (quick >= IN_A_ROW) {
			break;
		}
		usleep(PAUSE_US);
	}
}

static long long written(int io) {
	char text[512];
	ssize_t got = pread(io, text, sizeof text - 1, 0);
	text[got > 0 ? got : 0] = '\0';
	const char *line = strstr(text, "wchar: ");
	return line != NULL ? atoll(line + strlen("wchar: ")) : -1;
}

int main(int argc, char **argv) {
	if (argc == 4 && strcmp(argv[1], "wait") == 0) {
		wait_for_quick(atoll(argv[2]), atoll(argv[3]));
		return 0;
	}
	if (argc != 4 || atoi(argv[1]) <= 0 || atoi(argv[2]) <= 0 || atoi(argv[3]) <= 0) {
		(void)fputs("usage: pace SERVER COUNTED INTERVAL_US | pace wait LIMIT_NS PATIENCE_MS\n", stderr);
		return 2;
	}
	char path[64];
	(void)snprintf(path, sizeof path, "/proc/%d/io", atoi(argv[2]));
	int io = open(path, O_RDONLY | O_CLOEXEC);
	if (io < 0) {
		perror(path);
		return 1;
	}
	clockid_t server = 0;
	if (clock_getcpuclockid(atoi(argv[1]), &server) != 0) {
		(void)fputs("no such server\n", stderr);
		return 1;
	}
	(void)signal(SIGTERM, end);
	(void)setvbuf(stdout, malloc(LINES_BYTES), _IOFBF, LINES_BYTES); // written to nobody meanwhile
	long long started = read_clock(CLOCK_MONOTONIC);
	while (!over) {
		usleep((useconds_t)atoi(argv[3]));
		long long time = read_clock(CLOCK_MONOTONIC) - started, cpu = read_clock(server), bytes = written(io);
		long long took = gauge();
		if (cpu < 0 || bytes < 0 || over) {
			break; // one of them has ended
		}
		(void)printf("%lld %lld %lld %lld %lld\n", time, cpu, read_clock(server), bytes, took);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
