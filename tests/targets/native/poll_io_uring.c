// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>

#include "poll_calls.h"
#include "truth.h"

struct uring_poll {
	struct io_uring ring;
	int submitted;
};

static struct poll_call *open_io_uring(int fd) {
	struct poll_call *call = new_poll_call(fd);
	struct uring_poll *uring = calloc(1, sizeof *uring);
	if (uring == NULL) {
		die("calloc");
	}
	int error = io_uring_queue_init(8, &uring->ring, 0);
	if (error != 0) {
		errno = -error;
		return NULL;
	}
	call->queue_fd = uring->ring.ring_fd;
	call->more = uring;
	return call;
}

static int wait_io_uring(struct poll_call *call, int timeout_ms) {
	struct uring_poll *uring = call->more;
	if (!uring->submitted) {
		struct io_uring_sqe *request = io_uring_get_sqe(&uring->ring);
		io_uring_prep_poll_add(request, call->fd, POLLIN);
		(void)io_uring_submit(&uring->ring);
		uring->submitted = 1;
	}
	struct __kernel_timespec timeout = {timeout_ms / 1000, (long long)(timeout_ms % 1000) * 1000000};
	struct io_uring_cqe *completion = NULL;
	int error = io_uring_wait_cqe_timeout(&uring->ring, &completion, &timeout);
	if (error == -ETIME || error == -EINTR) {
		return 0;
	}
	if (error != 0) {
		errno = -error;
		die("io_uring_enter");
	}
	io_uring_cqe_seen(&uring->ring, completion);
	uring->submitted = 0;
	return 1;
}

const struct poll_kind io_uring_kind = {"io_uring", open_io_uring, wait_io_uring};
