// SPDX-License-Identifier: Apache-2.0
// What the collector asks of the machine beside BPF: its pid namespace, libbpf's words, and a process that closes descriptors.
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/unique_fd.h"
#include "catch.h"
#include "collector/leaving.h"
#include "collector/libbpf_log.h"
#include "collector/pid_level.h"

using namespace loopsnoop;
using namespace loopsnoop::collector;

TEST_CASE("the host's pid namespace is level 0, one below it is deeper by one") {
	struct stat status {};
	REQUIRE(stat("/proc/self/ns/pid", &status) == 0);
	constexpr ino_t of_the_host = 0xEFFFFFFC;
	const std::uint32_t here = own_pid_level();
	CHECK((here == 0) == (status.st_ino == of_the_host));
	const pid_t child = fork();
	REQUIRE(child >= 0);
	if (child == 0) {
		// The next child of this one is in the new namespace.
		constexpr int may_not = 99;
		if (unshare(CLONE_NEWPID) != 0) {
			_exit(may_not);
		}
		const pid_t inside = fork();
		if (inside == 0) {
			_exit(static_cast<int>(own_pid_level()));
		}
		int status_inside = 0;
		(void)waitpid(inside, &status_inside, 0);
		_exit(WEXITSTATUS(status_inside));
	}
	int ended = 0;
	REQUIRE(waitpid(child, &ended, 0) == child);
	if (constexpr int may_not = 99; WEXITSTATUS(ended) == may_not) {
		WARN("not tried: no right to make a pid namespace");
	} else {
		CHECK(WEXITSTATUS(ended) == 1); // what lies above the host's or the container's own cannot be seen from inside
	}
}

TEST_CASE("the last warning of libbpf is kept, without its newline") {
	route_libbpf_log(false);
	CHECK(bpf_object__open_file("/no/such/object.o", nullptr) == nullptr);
	const std::string warning = last_libbpf_warning();
	CHECK(warning.find("/no/such/object.o") != std::string::npos);
	CHECK(warning.find('\n') == std::string::npos);
}

TEST_CASE("descriptors are closed here at once, and then by a process that is nobody's child") {
	std::array<int, 2> ends{};
	REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
	const UniqueFd reader(ends[0]);
	const int other = fcntl(ends[1], F_DUPFD_CLOEXEC, 0);
	REQUIRE(close_elsewhere({ends[1], other}));
	CHECK(fcntl(ends[1], F_GETFD) == -1);
	CHECK(fcntl(other, F_GETFD) == -1);
	char nothing = 0;
	CHECK(read(reader.get(), &nothing, 1) == 0); // comes once nobody has the other end any more
	CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
}
