// SPDX-License-Identifier: Apache-2.0
// The memory map of a real process that has so many mappings that reading them takes long.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/unique_fd.h"
#include "catch.h"
#include "child.h"
#include "process/procfs.h"

using namespace loopsnoop;

namespace {

constexpr std::size_t many = 50'000;

bool map_many() {
	const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
	void *const all = ::mmap(nullptr, many * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (std::size_t i = 0; i < many; i += 2) {
		::mprotect(static_cast<std::byte *>(all) + i * page, page, PROT_READ);
	}
	return all != MAP_FAILED;
}

bool maps_program(const std::vector<process::Mapping> &maps, std::string_view name) {
	return std::any_of(maps.begin(), maps.end(), [&](const process::Mapping &mapping) { return mapping.path.ends_with(name); });
}

} // namespace

TEST_CASE("a map that took long to read is not that of the program after an exec") {
	std::array<int, 2> go{};
	REQUIRE(::pipe2(go.data(), O_CLOEXEC) == 0);
	const UniqueFd hears(go[0]);
	const UniqueFd says(go[1]);
	const Child child(map_many, [&] {
		char byte = 0;
		if (::read(hears.get(), &byte, 1) == 1) {
			::execl("/bin/sleep", "sleep", "60", nullptr);
		}
	});
	REQUIRE(child.wait_ready());
	const process::ProcFs procfs;
	const auto before = procfs.maps(child.pid());
	REQUIRE(before);
	CHECK(before->size() >= many);
	CHECK_FALSE(maps_program(*before, "/sleep"));
	REQUIRE(::write(says.get(), "x", 1) == 1);
	REQUIRE(child.wait_exec());
	const auto after = procfs.maps(child.pid());
	REQUIRE(after);
	CHECK(after->size() < many);
	CHECK(maps_program(*after, "/sleep"));
}
