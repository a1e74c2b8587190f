/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a file descriptor is, at this moment: kind, path, both ends of a socket. Reads kernel memory only, so it works for
 * any task, asleep or current. */
#pragma once

#include "compat.bpf.h"
#include "state.bpf.h"

#define S_IFMT 00170000
#define S_IFSOCK 0140000
#define S_IFLNK 0120000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define S_IFIFO 0010000

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define TCP_LISTEN 10
#define TCP_ESTABLISHED 1
#define SOCK_STREAM 1

#define FMODE_WRITE 2
#define ANON_INODE_FS_MAGIC 0x09041934
#define PID_FS_MAGIC 0x50494446 /* since 6.9 */

#define COMPONENT_BYTES 128

static __always_inline struct file *file_of(struct task_struct *task, s32 fd)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **array;
	struct file *file = 0;

	if (!table || fd < 0 || (u32)fd >= BPF_CORE_READ(table, max_fds))
		return 0;
	array = BPF_CORE_READ(table, fd);
	bpf_probe_read_kernel(&file, sizeof(file), &array[fd]);
	return file;
}

/* Names from the file up to the process's root, each ended by NUL, innermost first: user space turns them round. */
LS_FUNCTION int read_path(u64 task_address, u64 file_address, struct ls_fd *out)
{
	struct task_struct *task = TASK(task_address);
	struct file *file = (struct file *)file_address;

	if (!out)
		return 0;

	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct vfsmount *mnt = BPF_CORE_READ(file, f_path.mnt);
	struct dentry *root = BPF_CORE_READ(task, fs, root.dentry);
	u32 used;

	out->path_bytes = 0;
	if (!BPF_CORE_READ(dentry, d_hash.pprev) && BPF_CORE_READ(dentry, d_parent) != dentry)
		out->flags |= LS_FD_DELETED;
	for (int i = 0; i < 32; i++) {
		struct dentry *parent;
		long n;

		if (dentry == root)
			break;
		if (dentry == BPF_CORE_READ(mnt, mnt_root)) {
			struct mount *mount = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
			struct mount *outer = BPF_CORE_READ(mount, mnt_parent);

			if (outer == mount || !outer) {
				/* The root of a mount that hangs nowhere: anonymous inodes, pipes. Its own name is all there is. */
				if (i)
					break;
			} else {
				dentry = BPF_CORE_READ(mount, mnt_mountpoint);
				mnt = (void *)outer + bpf_core_field_offset(struct mount, mnt);
				continue;
			}
		}
		parent = BPF_CORE_READ(dentry, d_parent);
		/* From memory, where the verifier does not see what it can be: or it would walk each turn of the loop once for each range
		 * that came out of the ones before. */
		used = *(volatile typeof(out->path_bytes) *)&out->path_bytes;
		if (used > LS_PATH_BYTES - COMPONENT_BYTES) {
			out->flags |= LS_FD_PATH_CUT;
			break;
		}
		n = bpf_probe_read_kernel_str(out->path + used, COMPONENT_BYTES, BPF_CORE_READ(dentry, d_name.name));
		if (n <= 0 || n >= COMPONENT_BYTES) {
			out->flags |= LS_FD_PATH_CUT;
			break;
		}
		out->path_bytes = used + n;
		if (parent == dentry)
			break;
		dentry = parent;
	}
	return 0;
}

LS_FUNCTION int read_socket(u64 address, struct ls_fd *out)
{
	struct socket *socket = (struct socket *)address;

	if (!socket || !out)
		return 0;

	struct sock *sk = BPF_CORE_READ(socket, sk);

	if (!sk)
		return 0;
	out->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	out->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	out->type = BPF_CORE_READ(socket, type);
	out->protocol = BPF_CORE_READ(sk, sk_protocol);
	if (out->family == AF_INET) {
		u32 address = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);

		__builtin_memcpy(out->local, &address, sizeof(address));
		address = BPF_CORE_READ(sk, __sk_common.skc_daddr);
		__builtin_memcpy(out->remote, &address, sizeof(address));
	} else if (out->family == AF_INET6) {
		bpf_core_read(out->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(out->remote, 16, &sk->__sk_common.skc_v6_daddr);
	} else if (out->family == AF_UNIX) {
		struct unix_sock *self = (struct unix_sock *)sk;
		struct sock *peer = BPF_CORE_READ(self, peer);
		struct unix_address *address = BPF_CORE_READ(self, addr);
		struct pid *pid = BPF_CORE_READ(sk, sk_peer_pid);
		u32 level = knobs.pid_level;
		int n;

		/* A connected client has no name of its own; its peer has the path people know. */
		if (!address && peer)
			address = BPF_CORE_READ((struct unix_sock *)peer, addr);
		n = BPF_CORE_READ(address, len) - 2; /* behind sun_family */
		if (address && n > 0 && n <= 108) {
			bpf_probe_read_kernel(out->path, n & 127, (void *)address + bpf_core_field_offset(struct unix_address, name) + 2);
			out->path_bytes = n;
		}
		if (pid && level < 32 && BPF_CORE_READ(pid, level) >= level) {
			int nr = 0;

			bpf_core_read(&nr, sizeof(nr), &pid->numbers[level].nr);
			out->unix_peer_pid = nr;
		}
		if (peer)
			out->unix_peer_inode = BPF_CORE_READ(peer, sk_socket, file, f_inode, i_ino);
		return 0;
	}
	out->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	out->remote_port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	return 0;
}

static __always_inline void clear_fd(struct ls_fd *out, s32 fd)
{
	__builtin_memset(out, 0, __builtin_offsetof(struct ls_fd, path));
	out->fd = fd;
}

LS_FUNCTION int describe_fd(u64 task, s32 fd, struct ls_fd *out)
{
	if (!out)
		return 0;
	clear_fd(out, fd);

	struct file *file = file_of(TASK(task), fd);
	struct inode *inode;

	if (!file) {
		out->flags = LS_FD_MISSING;
		return 0;
	}
	inode = BPF_CORE_READ(file, f_inode);
	out->mode = BPF_CORE_READ(inode, i_mode);
	out->inode = BPF_CORE_READ(inode, i_ino);
	out->device = BPF_CORE_READ(inode, i_sb, s_dev);
	if (BPF_CORE_READ(file, f_mode) & FMODE_WRITE)
		out->flags |= LS_FD_WRITABLE;
	if ((out->mode & S_IFMT) == S_IFSOCK)
		read_socket((u64)BPF_CORE_READ(file, private_data), out);
	else
		read_path(task, (u64)file, out);
	return 0;
}

/* The cause a wait on this descriptor has. */
LS_FUNCTION u32 cause_of_fd(u64 task, s32 fd)
{
	struct file *file = file_of(TASK(task), fd);
	struct inode *inode;
	unsigned long magic;

	if (!file)
		return LS_CAUSE_other;
	inode = BPF_CORE_READ(file, f_inode);
	magic = BPF_CORE_READ(inode, i_sb, s_magic);
	if (magic == PID_FS_MAGIC)
		return LS_CAUSE_child;
	if (magic == ANON_INODE_FS_MAGIC)
		return LS_CAUSE_other;
	switch (BPF_CORE_READ(inode, i_mode) & S_IFMT) {
	case S_IFSOCK: return LS_CAUSE_socket;
	case S_IFIFO: return LS_CAUSE_pipe;
	case S_IFREG:
	case S_IFDIR:
	case S_IFBLK:
	case S_IFLNK: return LS_CAUSE_file_io;
	default: return LS_CAUSE_other;
	}
}

LS_FUNCTION int is_open_epoll(u64 task, s32 fd)
{
	struct file *file = file_of(TASK(task), fd);
	char name[16] = {};

	if (!file || BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC)
		return false;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	return name[1] == 'e' && name[6] == 'p'; /* [eventpoll], not [eventfd] or [io_uring] */
}

/* A connected stream socket: what a client library polls, one at a time. */
LS_FUNCTION int is_connected_socket(u64 task, s32 fd)
{
	struct file *file = file_of(TASK(task), fd);
	struct socket *socket;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return false;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, type) == SOCK_STREAM && BPF_CORE_READ(socket, sk, __sk_common.skc_state) != TCP_LISTEN;
}
