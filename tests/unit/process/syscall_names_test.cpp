// SPDX-License-Identifier: Apache-2.0
#include "process/syscall_names.h"

#include <sys/syscall.h>

#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include "catch.h"

using namespace loopsnoop::process;

TEST_CASE("system calls by number and name") {
	CHECK(syscall_name(SYS_read) == "read");
	CHECK(syscall_name(SYS_epoll_pwait2) == "epoll_pwait2");
	CHECK(syscall_name(455) == "futex_wait"); // newer than Debian 12's header
	CHECK(syscall_number("futex") == SYS_futex);
	CHECK(syscall_number("io_uring_enter") == SYS_io_uring_enter);
	for (const long unknown : {-1L, 400L, 100000L, std::numeric_limits<long>::min(), std::numeric_limits<long>::max()}) {
		CHECK_FALSE(syscall_name(unknown));
	}
	CHECK_FALSE(syscall_number(""));
	CHECK_FALSE(syscall_number("reads"));
}

TEST_CASE("the table holds all that this machine's header has") {
	std::ifstream header("/usr/include/x86_64-linux-gnu/asm/unistd_64.h");
	int checked = 0;
	for (std::string line; std::getline(header, line);) {
		std::istringstream words(line);
		std::string define;
		std::string name;
		long number = 0;
		const std::string prefix = "__NR_";
		if (words >> define >> name >> number && define == "#define" && name.starts_with(prefix)) {
			CHECK(syscall_name(number) == name.substr(prefix.size()));
			CHECK(syscall_number(name.substr(prefix.size())) == number);
			++checked;
		}
	}
	if (header.is_open()) {
		CHECK(checked > 300);
	}
}
