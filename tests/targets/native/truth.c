// SPDX-License-Identifier: Apache-2.0
#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int truth_fd = -1;

void die(const char *what) {
	(void)fprintf(stderr, "target: %s: %s\n", what, strerror(errno));
	exit(99);
}

void truth_open(const char *path) {
	truth_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (truth_fd < 0) {
		die(path);
	}
}

static void write_line(const char *line, int length) {
	if (length < 0 || write(truth_fd, line, (size_t)length) != length) {
		die("truth");
	}
}

// ["a","b"] of "a,b"
static void json_list(char *out, size_t size, const char *words) {
	size_t used = (size_t)snprintf(out, size, "[\"");
	for (; *words != '\0' && used + 8 < size; ++words) {
		if (*words == ',') {
			used += (size_t)snprintf(out + used, size - used, "\",\"");
		} else {
			out[used++] = *words;
		}
	}
	(void)snprintf(out + used, size - used, "\"]");
}

void truth_write(const struct truth_event *event) {
	char syscalls[256];
	char line[2048];
	json_list(syscalls, sizeof syscalls, event->syscalls);
	int length = snprintf(line, sizeof line,
	                      "{\"kind\":\"event\",\"start_ns\":%lld,\"end_ns\":%lld,\"cpu_ns\":%lld,\"callback_start_ns\":%lld,"
	                      "\"callback_end_ns\":%lld,\"pid\":%d,\"tid\":%d,\"cause\":\"%s\","
	                      "\"syscalls\":%s,\"file\":\"%s\",\"line\":%d,\"function\":\"%s\",\"pieces\":%d,\"resource\":%s}\n",
	                      (long long)event->start_ns, (long long)event->end_ns, (long long)event->cpu_ns,
	                      (long long)event->callback_start_ns, (long long)event->callback_end_ns, getpid(), event->tid,
	                      event->cause, syscalls, event->file, event->line, event->function, event->pieces,
	                      event->resource[0] != '\0' ? event->resource : "null");
	write_line(line, length);
}

void truth_note(const char *format, ...) {
	char line[2048];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(line, sizeof line - 1, format, arguments); // NOLINT(clang-analyzer-valist.Uninitialized): a false find
	va_end(arguments);
	line[length] = '\n';
	write_line(line, length + 1);
}

void say(const char *word) {
	(void)printf("%s\n", word);
	(void)fflush(stdout);
}
