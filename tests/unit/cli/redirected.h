// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "base/unique_fd.h"

// A standard descriptor, led into a file while this lives.
class Redirected {
public:
	Redirected(int fd, const std::string &path) : fd_(fd), saved_(::dup(fd)) {
		(void)std::fflush(nullptr);
		const loopsnoop::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
		::dup2(file.get(), fd_);
	}
	~Redirected() {
		(void)std::fflush(nullptr);
		::dup2(saved_.get(), fd_);
	}
	Redirected(const Redirected &) = delete;
	Redirected &operator=(const Redirected &) = delete;
	Redirected(Redirected &&) = delete;
	Redirected &operator=(Redirected &&) = delete;

private:
	int fd_;
	loopsnoop::UniqueFd saved_;
};

inline std::string read_file(const std::string &path) {
	std::ostringstream out;
	out << std::ifstream(path, std::ios::binary).rdbuf();
	return out.str();
}
