/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's types, as far as they are used here. Hand-kept on purpose: it builds on hosts without BTF, and the offsets are
 * relocated to the running kernel's when the programs are loaded (CO-RE). Names and nesting as in Linux 6.18; what differs in
 * other releases is in compat.bpf.h. */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
#ifndef __cplusplus
typedef _Bool bool;
#define true 1
#define false 0
#endif

#include "arch/arch.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* Whole (include/linux/pid.h): pid.numbers is indexed by a variable, and its elements are as far apart as this says. */
struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[0];
};

struct qstr {
	const unsigned char *name;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
	struct super_block *i_sb;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	unsigned int f_mode;
	void *private_data;
	struct inode *f_inode;
	struct path f_path;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct fs_struct {
	struct path root;
};

struct in6_addr {
	__u8 s6_addr[16]; /* the kernel's is a union; only its address is used */
};

struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_dport; /* network order */
	__u16 skc_num;   /* host order */
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct socket;

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	u16 sk_protocol;
	struct pid *sk_peer_pid;
};

struct socket {
	short type;
	struct file *file;
	struct sock *sk;
};

struct sockaddr_un {
	unsigned short sun_family;
	char sun_path[108];
};

struct unix_address {
	int len;
	struct sockaddr_un name[0];
};

struct unix_sock {
	struct sock sk;
	struct unix_address *addr;
	struct sock *peer;
};

struct rb_node {
	struct rb_node *rb_right;
	struct rb_node *rb_left;
};

struct rb_root {
	struct rb_node *rb_node;
};

struct rb_root_cached {
	struct rb_root rb_root;
};

struct eventpoll {
	struct rb_root_cached rbr;
};

struct epoll_filefd {
	struct file *file;
	int fd;
};

struct epitem {
	struct rb_node rbn;
	struct epoll_filefd ffd;
};

struct atomic_counter {
	int counter;
};

struct signal_struct {
	int group_exit_code;
	unsigned int flags;
	struct {
		int counter;
	} live;
};

struct mm_struct {
	unsigned long start_stack;
};

struct sched_entity {
	unsigned char sched_delayed; /* since 6.12: 152e11f6df29 */
};

struct bpf_local_storage;

struct sched_info { /* with CONFIG_SCHED_INFO, that is schedstats or delay accounting */
	unsigned long long run_delay;
	unsigned long long last_arrival;
	unsigned long long last_queued;
};

struct task_struct {
	unsigned int __state; /* since 5.14: 2f064a59a11f; `state` before */
	unsigned int on_rq;   /* an int until 6.18, a byte in 7.2: what is unsigned libbpf loads in the kernel's own size */
	unsigned int on_cpu;  /* the same */
	struct sched_entity se;
	struct files_struct *files;
	struct fs_struct *fs;
	struct mm_struct *mm;
	unsigned int flags;
	int exit_code;
	unsigned long jobctl;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	unsigned long nvcsw;
	unsigned long nivcsw;
	__u64 start_boottime;
	__u32 parent_exec_id;
	__u32 self_exec_id;
	char comm[16];
	struct signal_struct *signal;
	struct sched_info sched_info;
	struct bpf_local_storage *bpf_storage; /* since 5.11: 4cf1bc1f1045 */
	struct thread_struct thread;
};

struct linux_binprm;

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

/* The context of every syscalls:sys_enter_* tracepoint; include/trace/trace_events.h, kernel/trace/trace.h (syscall_trace_enter).
 */
struct ls_sys_enter {
	__u64 common;
	__s32 id;    /* an int: programs may not read past the last field */
	__u64 first; /* argument; not of calls without any */
};

struct ls_sys_exit {
	__u64 common;
	__s32 id; /* an int: programs may not read past the last field */
	__s64 ret;
};
