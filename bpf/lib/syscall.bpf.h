/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a thread blocks in, read from its registers: no hook on the call is needed. */
#pragma once

#include "descriptor.bpf.h"

#define TIMER_ABSTIME 1
#define CLOCK_MONOTONIC 1

/* The first descriptors a poll call waits on; -1: unused. */
struct ls_fd_list {
	s32 fd[LS_FDS];
};

struct ls_call {
	s64 nr; /* -1: none (fault, interrupt) */
	u64 args[6];
	u64 shape; /* LS_SHAPE_*; no padding: the verifier of 5.15 wants all of what a function is handed to have been written */
};

static __always_inline u8 shape_of(s64 nr)
{
	u64 index = nr;

	if (index >= LS_SYSCALLS)
		return LS_SHAPE_OTHER;
	/* Or the compiler leaves the mask out, without which the verifier of 6.1 does not see the bound of a number of 32 bits. */
	barrier_var(index);
	return shapes[index & (LS_SYSCALLS - 1)];
}

static __always_inline void read_call(struct pt_regs *regs, struct ls_call *call)
{
	call->nr = syscall_of(regs);
	read_arguments(regs, call->args);
	call->shape = shape_of(call->nr);
}

/* Descriptors of a poll call: writes the first LS_FDS to `fds`, returns how many it waits on. User memory is read: `current`
 * only. */
LS_FUNCTION u32 poll_fds(struct ls_call *call, struct ls_fd_list *fds)
{
	struct {
		s32 fd;
		u32 events;
	} entry[LS_FDS];
	u32 total;

	if (!call || !fds)
		return 0;
	total = call->args[1] > 0xffffff ? 0xffffff : (u32)call->args[1];
	if (!total || bpf_probe_read_user(entry, sizeof(entry), (void *)call->args[0])) {
		/* Fewer than LS_FDS may lie at the end of a page. */
		__builtin_memset(entry, 0xff, sizeof(entry));
		for (u32 i = 0; i < LS_FDS && i < total; i++)
			bpf_probe_read_user(&entry[i], sizeof(entry[i]), (void *)call->args[0] + i * sizeof(entry[0]));
	}
	for (u32 i = 0; i < LS_FDS; i++)
		fds->fd[i] = i < total ? entry[i].fd : -1;
	return total;
}

#define SELECT_WORDS 4 /* of 64 descriptors */

static __always_inline u32 count_bits(u64 bits)
{
	bits -= (bits >> 1) & 0x5555555555555555ULL;
	bits = (bits & 0x3333333333333333ULL) + ((bits >> 2) & 0x3333333333333333ULL);
	bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (bits * 0x0101010101010101ULL) >> 56;
}

static __always_inline u64 select_word(struct ls_call *call, u32 word)
{
	u64 bits = 0, more = 0, left = call->args[0] - word * 64;

	bpf_probe_read_user(&bits, sizeof(bits), (void *)call->args[1] + word * 8);
	bpf_probe_read_user(&more, sizeof(more), (void *)call->args[2] + word * 8);
	bits |= more;
	return left < 64 ? bits & ((1ULL << (left & 63)) - 1) : bits;
}

/* Descriptors of a select call that are watched for reading or writing, the first of each 64. Without loops over bits, which the
 * verifier would have to walk one by one. */
LS_FUNCTION u32 select_fds(struct ls_call *call, struct ls_fd_list *fds)
{
	u32 total = 0, kept = 0;

	if (!call || !fds)
		return 0;
	for (u32 word = 0; word < SELECT_WORDS; word++) {
		u64 bits;

		fds->fd[word] = -1;
		if (word * 64 >= call->args[0])
			continue;
		bits = select_word(call, word);
		if (bits) {
			fds->fd[kept & (LS_FDS - 1)] = word * 64 + count_bits((bits & -bits) - 1);
			kept++;
		}
		total += count_bits(bits);
	}
	return total;
}

static __always_inline s32 epoll_item_fd(struct rb_node *node)
{
	struct epitem *item = (void *)node - bpf_core_field_offset(struct epitem, rbn);

	return BPF_CORE_READ(item, ffd.fd);
}

/* The first few descriptors registered with an epoll descriptor: the top of its tree. Returns how many were found. */
LS_FUNCTION u32 epoll_fds(u64 task, s32 epfd, struct ls_fd_list *fds)
{
	struct file *file;
	struct eventpoll *ep;
	struct rb_node *root, *left, *right, *node;
	u32 total = 0;

	if (!fds)
		return 0;
	for (u32 i = 0; i < LS_FDS; i++)
		fds->fd[i] = -1;
	file = file_of(TASK(task), epfd);
	if (!file || !is_open_epoll(task, epfd))
		return 0;
	ep = BPF_CORE_READ(file, private_data);
	root = BPF_CORE_READ(ep, rbr.rb_root.rb_node);
	if (!root)
		return 0;
	fds->fd[total++] = epoll_item_fd(root);
	left = BPF_CORE_READ(root, rb_left);
	right = BPF_CORE_READ(root, rb_right);
	if (left)
		fds->fd[total++] = epoll_item_fd(left);
	if (right)
		fds->fd[total++ & (LS_FDS - 1)] = epoll_item_fd(right);
	node = left ? BPF_CORE_READ(left, rb_left) : 0;
	if (node)
		fds->fd[total++ & (LS_FDS - 1)] = epoll_item_fd(node);
	return total;
}

/* Descriptors any poll call waits on. */
LS_FUNCTION u32 call_fds(u64 task, struct ls_call *call, struct ls_fd_list *fds)
{
	if (!call || !fds)
		return 0;
	switch (call->shape) {
	case LS_SHAPE_POLL: return poll_fds(call, fds);
	case LS_SHAPE_SELECT: return select_fds(call, fds);
	case LS_SHAPE_EPOLL: return epoll_fds(task, (s32)call->args[0], fds);
	default: return 0;
	}
}

/* How long a sleep was asked to take, ns; ~0 when it is not known or has no end. `current` only. */
LS_FUNCTION u64 requested_sleep(struct ls_call *call, u32 no_fds)
{
	s64 time[2] = {};
	u64 pointer = 0, scale = 1;

	if (!call)
		return ~0ULL;
	switch (call->shape) {
	case LS_SHAPE_SLEEP0: pointer = call->args[0]; break;
	case LS_SHAPE_SLEEP2: pointer = call->args[2]; break;
	case LS_SHAPE_POLL:
		if (!no_fds)
			return ~0ULL;
		if (call->nr == LS_NR_POLL) /* poll: milliseconds, in the register */
			return (s32)call->args[2] < 0 ? ~0ULL : (u64)(u32)call->args[2] * 1000000;
		pointer = call->args[2]; /* ppoll */
		break;
	case LS_SHAPE_SELECT:
		if (!no_fds)
			return ~0ULL;
		pointer = call->args[4];
		scale = call->nr == LS_NR_SELECT ? 1000 : 1; /* select: microseconds; pselect6: nanoseconds */
		break;
	default: return ~0ULL;
	}
	if (!pointer || bpf_probe_read_user(time, sizeof(time), (void *)pointer))
		return ~0ULL;
	u64 ns = (u64)time[0] * 1000000000 + (u64)time[1] * scale;

	if (call->shape == LS_SHAPE_SLEEP2 && (call->args[1] & TIMER_ABSTIME)) {
		u64 now = bpf_ktime_get_ns();

		if (call->args[0] != CLOCK_MONOTONIC)
			return ~0ULL;
		return ns > now ? ns - now : 0;
	}
	return ns;
}

/* The cause of going to sleep in this call, for the current task. */
LS_FUNCTION u32 cause_of_call(u64 task, struct ls_call *call)
{
	struct ls_fd_list fds = {};
	u32 total;

	if (!call)
		return LS_CAUSE_other;
	if (call->nr < 0)
		return LS_CAUSE_page_fault;
	switch (call->shape) {
	case LS_SHAPE_FD: return cause_of_fd(task, (s32)call->args[0]);
	case LS_SHAPE_PATH0:
	case LS_SHAPE_PATH1:
	case LS_SHAPE_FILE: return LS_CAUSE_file_io;
	case LS_SHAPE_FUTEX: return LS_CAUSE_futex;
	case LS_SHAPE_SLEEP0:
	case LS_SHAPE_SLEEP2: return LS_CAUSE_sleep;
	case LS_SHAPE_CHILD: return LS_CAUSE_child;
	case LS_SHAPE_POLL:
	case LS_SHAPE_SELECT:
	case LS_SHAPE_EPOLL:
		total = call_fds(task, call, &fds);
		if (total == 1)
			return cause_of_fd(task, fds.fd[0]);
		if (!total && call->shape != LS_SHAPE_EPOLL)
			return LS_CAUSE_sleep;
		return LS_CAUSE_poll;
	case LS_SHAPE_URING: return LS_CAUSE_poll;
	default: return LS_CAUSE_other;
	}
}
