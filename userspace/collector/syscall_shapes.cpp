// SPDX-License-Identifier: Apache-2.0
#include "collector/syscall_shapes.h"

#include <string_view>
#include <utility>

#include "process/syscall_names.h"

namespace loopsnoop::collector {

namespace {

struct Shape {
	ls_shape shape;
	std::vector<std::string_view> calls;
};

const std::vector<Shape> &shapes() {
	static const std::vector<Shape> table{
	    {LS_SHAPE_FD, {"read",           "write",    "close",     "fstat",     "lseek",     "ioctl",      "pread64",
	                   "pwrite64",       "readv",    "writev",    "preadv",    "pwritev",   "preadv2",    "pwritev2",
	                   "sendfile",       "connect",  "accept",    "accept4",   "sendto",    "recvfrom",   "sendmsg",
	                   "recvmsg",        "sendmmsg", "recvmmsg",  "shutdown",  "bind",      "listen",     "fcntl",
	                   "flock",          "fsync",    "fdatasync", "ftruncate", "getdents",  "getdents64", "fchdir",
	                   "fchmod",         "fchown",   "fadvise64", "readahead", "fstatfs",   "syncfs",     "sync_file_range",
	                   "fallocate",      "splice",   "tee",       "vmsplice",  "fsetxattr", "fgetxattr",  "flistxattr",
	                   "copy_file_range"}},
	    {LS_SHAPE_PATH0, {"open",  "stat",   "lstat",  "access",  "truncate", "chdir",    "rename",    "mkdir",    "rmdir",
	                      "creat", "link",   "unlink", "symlink", "readlink", "chmod",    "chown",     "lchown",   "statfs",
	                      "utime", "utimes", "execve", "mknod",   "setxattr", "getxattr", "listxattr", "lgetxattr"}},
	    {LS_SHAPE_PATH1,
	     {"openat", "openat2", "mkdirat", "mknodat", "fchownat", "futimesat", "newfstatat", "unlinkat", "renameat", "renameat2",
	      "linkat", "readlinkat", "fchmodat", "faccessat", "faccessat2", "statx", "utimensat", "execveat"}},
	    {LS_SHAPE_FILE, {"sync", "msync", "io_submit", "getcwd"}},
	    {LS_SHAPE_FUTEX, {"futex", "futex_waitv", "futex_wait"}},
	    {LS_SHAPE_SLEEP0, {"nanosleep"}},
	    {LS_SHAPE_SLEEP2, {"clock_nanosleep"}},
	    {LS_SHAPE_CHILD, {"wait4", "waitid", "vfork", "clone", "clone3"}},
	    {LS_SHAPE_POLL, {"poll", "ppoll"}},
	    {LS_SHAPE_SELECT, {"select", "pselect6"}},
	    {LS_SHAPE_EPOLL, {"epoll_wait", "epoll_pwait", "epoll_pwait2"}},
	    {LS_SHAPE_URING, {"io_uring_enter", "io_getevents", "io_pgetevents"}},
	    {LS_SHAPE_RESTART, {"restart_syscall"}},
	};
	return table;
}

} // namespace

std::array<std::uint8_t, LS_SYSCALLS> syscall_shapes() {
	std::array<std::uint8_t, LS_SYSCALLS> by_number{};
	for (const Shape &shape : shapes()) {
		for (const std::string_view call : shape.calls) {
			const auto number = process::syscall_number(call);
			if (number && *number < LS_SYSCALLS) {
				by_number.at(static_cast<std::size_t>(*number)) = static_cast<std::uint8_t>(shape.shape);
			}
		}
	}
	return by_number;
}

const std::vector<std::string> &poll_call_names() {
	static const std::vector<std::string> names{"epoll_wait",   "epoll_pwait",   "epoll_pwait2",   "poll",
	                                            "ppoll",        "select",        "pselect6",       "io_uring_enter",
	                                            "io_getevents", "io_pgetevents", "restart_syscall"};
	return names;
}

bool end_is_hooked(const std::string &poll_call) { return !poll_call.starts_with("epoll_"); }

const std::vector<std::string> &measured_call_names() {
	static const std::vector<std::string> names{"futex", "fsync", "fdatasync", "flock", "openat"};
	return names;
}

} // namespace loopsnoop::collector
