// SPDX-License-Identifier: Apache-2.0
#include "base/confinement.h"

#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>

#include "catch.h"

using namespace loopsnoop;

namespace {

// Runs in a process of its own, which is confined: exit status 0 when `holds` does.
template <typename Holds> int in_confined_child(Holds holds) {
	const pid_t child = fork();
	if (child == 0) {
		_exit(confine() && holds() ? 0 : 1);
	}
	int status = -1;
	REQUIRE(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace

TEST_CASE("a confined process runs no other program") {
	CHECK(in_confined_child([] {
		      std::array<char *, 2> arguments{const_cast<char *>("true"), nullptr}; // NOLINT: execve's interface
		      (void)execve("/bin/true", arguments.data(), nullptr);
		      return errno == EPERM;
	      }) == 0);
}

TEST_CASE("a confined process has no_new_privs, mounts nothing, and has no memory to write code to") {
	CHECK(in_confined_child([] {
		      return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2 &&
		             mount("none", "/tmp", "tmpfs", 0, nullptr) == -1 && errno == EPERM &&
		             mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
	      }) == 0);
}

TEST_CASE("what loopsnoop does goes on: memory, files, threads and children") {
	CHECK(in_confined_child([] {
		      void *memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		      bool ran = false;
		      std::thread([&] { ran = access("/proc/self/stat", R_OK) == 0; }).join();
		      const pid_t child = fork();
		      if (child == 0) {
			      _exit(0);
		      }
		      int status = -1;
		      return memory != MAP_FAILED && mprotect(memory, 4096, PROT_READ) == 0 && ran &&
		             waitpid(child, &status, 0) == child && status == 0;
	      }) == 0);
}

TEST_CASE("a child that was forked before runs its program") {
	std::array<int, 2> go{};
	REQUIRE(pipe(go.data()) == 0);
	const pid_t middle = fork();
	if (middle == 0) {
		const pid_t child = fork();
		if (child == 0) {
			char byte = 0;
			(void)!read(go[0], &byte, 1);
			std::array<char *, 2> arguments{const_cast<char *>("true"), nullptr}; // NOLINT: execve's interface
			(void)execve("/bin/true", arguments.data(), nullptr);
			_exit(1);
		}
		const bool confined = confine().ok();
		(void)!write(go[1], "x", 1);
		int status = -1;
		_exit(confined && waitpid(child, &status, 0) == child && status == 0 ? 0 : 1);
	}
	int status = -1;
	REQUIRE(waitpid(middle, &status, 0) == middle);
	CHECK(status == 0);
}
