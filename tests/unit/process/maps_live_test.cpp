// SPDX-License-Identifier: Apache-2.0
// The memory map of a real process that has so many mappings that reading them takes long.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>

#include "base/unique_fd.h"
#include "catch.h"
#include "process/procfs.h"

using namespace loopsnoop;

namespace {

constexpr std::size_t many = 50'000;

// Has `many` mappings and says so by one byte; becomes `sleep` at the first byte that it gets, which ends what it says.
class Child {
public:
	Child() {
		std::array<int, 2> says{};
		std::array<int, 2> hears{};
		REQUIRE(::pipe2(says.data(), O_CLOEXEC) == 0);
		REQUIRE(::pipe2(hears.data(), O_CLOEXEC) == 0);
		pid_ = ::fork();
		if (pid_ == 0) {
			run(says[1], hears[0]);
		}
		::close(says[1]);
		::close(hears[0]);
		said_ = UniqueFd(says[0]);
		heard_ = UniqueFd(hears[1]);
		char byte = 0;
		REQUIRE(::read(said_.get(), &byte, 1) == 1);
	}
	Child(const Child &) = delete;
	Child &operator=(const Child &) = delete;
	Child(Child &&) = delete;
	Child &operator=(Child &&) = delete;
	~Child() {
		::kill(pid_, SIGKILL);
		::waitpid(pid_, nullptr, 0);
	}

	[[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }
	void exec() const {
		REQUIRE(::write(heard_.get(), "x", 1) == 1);
		char byte = 0;
		REQUIRE(::read(said_.get(), &byte, 1) == 0);
	}

private:
	[[noreturn]] static void run(int says, int hears) {
		const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
		void *const all = ::mmap(nullptr, many * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (std::size_t i = 0; i < many; i += 2) {
			::mprotect(static_cast<std::byte *>(all) + i * page, page, PROT_READ);
		}
		char byte = 'x';
		if (::write(says, &byte, 1) == 1 && ::read(hears, &byte, 1) == 1) {
			::execl("/bin/sleep", "sleep", "60", nullptr);
		}
		::_exit(1);
	}

	pid_t pid_ = -1;
	UniqueFd said_;
	UniqueFd heard_;
};

bool maps_program(const std::vector<process::Mapping> &maps, std::string_view name) {
	return std::any_of(maps.begin(), maps.end(), [&](const process::Mapping &mapping) { return mapping.path.ends_with(name); });
}

} // namespace

TEST_CASE("a map that took long to read is not that of the program after an exec") {
	const Child child;
	const process::ProcFs procfs;
	const auto before = procfs.maps(child.pid());
	REQUIRE(before);
	CHECK(before->size() >= many);
	CHECK_FALSE(maps_program(*before, "/sleep"));
	child.exec();
	const auto after = procfs.maps(child.pid());
	REQUIRE(after);
	CHECK(after->size() < many);
	CHECK(maps_program(*after, "/sleep"));
}
