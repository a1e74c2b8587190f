// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace loopsnoop::foreign {

// Of stat(2). Times in nanoseconds of the real-time clock.
struct FileStatus {
	std::uint32_t mode = 0; // st_mode
	std::uint32_t owner = 0;
	std::uint32_t links = 0;
	std::uint64_t inode = 0;
	std::uint64_t device = 0; // st_dev, as stat(2) gives it
	std::uint64_t size = 0;
	std::int64_t modified_ns = 0;
};

// One thing to be done that may wait for a file system, or for a target's memory, for good. All of it is done by perform(), in
// the process that may be given up on.
enum class Action : std::uint32_t {
	open,            // a regular file, for reading; gives its descriptor, its status and its first bytes
	status,          // stat(2), without asking a server for news
	read,            // bytes of an open file
	memory,          // bytes of a process's memory
	socket_protocol, // "TCP", "UNIX-STREAM": what /proc/PID/fd/N says of itself by its attribute system.sockprotoname
};

struct Question {
	Action action = Action::status;
	std::uint32_t pid = 0;    // whose memory
	std::uint64_t offset = 0; // in the file, or an address
	std::string root;         // of open and status: the path leads on inside this folder; empty: it is taken as it is
	std::string path;
	int file = -1; // of read; not owned
	struct Range {
		std::uint64_t address;
		std::uint64_t size;
	};
	// Of memory, in place of `offset`: several at once. The answer begins with a byte for each, 1 when all of that range was
	// read; then come the bytes of all of them, where those of one that was not read mean nothing.
	std::vector<Range> ranges;
};

struct Answer {
	int error = 0; // errno
	FileStatus status;
	std::size_t bytes = 0; // how many were put into the asker's span
	UniqueFd file;
	std::uint64_t took_ns = 0; // by the one who did it, once it had a CPU
};

} // namespace loopsnoop::foreign
