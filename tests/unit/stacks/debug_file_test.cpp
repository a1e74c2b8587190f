// SPDX-License-Identifier: Apache-2.0
// Stripped programs whose names and lines lie elsewhere.
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "capture.h"
#include "catch.h"
#include "process/procfs.h"
#include "stacks/symbolizer.h"

using namespace loopsnoop;
using namespace loopsnoop::test;

namespace {

// A directory of its own, gone at the end.
class Workshop {
public:
	Workshop() : path_(std::filesystem::temp_directory_path() / fmt::format("loopsnoop-debug-{}", getpid())) {
		std::filesystem::create_directories(path_);
	}
	Workshop(const Workshop &) = delete;
	Workshop(Workshop &&) = delete;
	Workshop &operator=(const Workshop &) = delete;
	Workshop &operator=(Workshop &&) = delete;
	~Workshop() { std::filesystem::remove_all(path_); }

	[[nodiscard]] std::string file(const std::string &name) const { return (path_ / name).string(); }
	// $P is the program to begin with.
	void run(const std::string &commands) const {
		const std::string line = fmt::format("cd {} && P={}/stacks_pie && {}", path_.string(), STACKS_BUILT, commands);
		INFO(line);
		REQUIRE(std::system(line.c_str()) == 0); // NOLINT(cert-env33-c,concurrency-mt-unsafe): objcopy is a program
	}

private:
	std::filesystem::path path_;
};

const NativeFrame *block_in(const Stack &stack) {
	const auto found = std::find_if(stack.native.begin(), stack.native.end(),
	                                [](const NativeFrame &frame) { return frame.function.value_or("") == "target::block(int)"; });
	return found == stack.native.end() ? nullptr : &*found;
}

Stack stack_of(const std::string &program) {
	Child child({program});
	REQUIRE(child.line() == "ready");
	REQUIRE(child.sleeps_in(SYS_clock_nanosleep));
	const auto raw = capture(child.pid());
	REQUIRE(raw);
	stacks::Symbolizer symbolizer{process::ProcFs()};
	Stack stack = symbolizer.native_and_kernel(*raw);
	CHECK_FALSE(stack.native_truncated);
	return stack;
}

} // namespace

TEST_CASE("names and lines come from the file that .gnu_debuglink names") {
	const Workshop workshop;
	for (const char *where : {".", ".debug"}) {
		workshop.run(fmt::format("mkdir -p {0} && objcopy --only-keep-debug $P {0}/program.debug && "
		                         "objcopy --strip-all --add-gnu-debuglink={0}/program.debug $P program",
		                         where));
		const Stack stack = stack_of(workshop.file("program"));
		const NativeFrame *const block = block_in(stack);
		REQUIRE(block != nullptr);
		CHECK(block->line.value_or(0) == 19);
		workshop.run(fmt::format("rm {}/program.debug", where));
		CHECK(block_in(stack_of(workshop.file("program"))) == nullptr);
	}
}

TEST_CASE("a debug file of another build is not believed") {
	const Workshop workshop;
	workshop.run(fmt::format("objcopy --only-keep-debug {}/stacks_no_pie program.debug && "
	                         "objcopy --strip-all --add-gnu-debuglink=program.debug $P program",
	                         STACKS_BUILT));
	CHECK(block_in(stack_of(workshop.file("program"))) == nullptr);
	// Without build IDs the checksum decides: the link's is of the file as it was.
	workshop.run("objcopy --remove-section .note.gnu.build-id $P plain && objcopy --only-keep-debug plain plain.debug && "
	             "objcopy --strip-all --add-gnu-debuglink=plain.debug plain program");
	CHECK(block_in(stack_of(workshop.file("program"))) != nullptr);
	workshop.run("echo changed >>plain.debug");
	CHECK(block_in(stack_of(workshop.file("program"))) == nullptr);
}

TEST_CASE("names come from .gnu_debugdata") {
	const Workshop workshop;
	workshop.run(
	    "objcopy --strip-debug $P mini && xz -f mini && objcopy --strip-all --add-section .gnu_debugdata=mini.xz $P program");
	const Stack stack = stack_of(workshop.file("program"));
	const NativeFrame *const block = block_in(stack);
	REQUIRE(block != nullptr);
	CHECK_FALSE(block->line);
	// A packed file that unfolds to more than anyone needs: no names, and no memory.
	workshop.run("head -c 100000000 /dev/zero | xz >bomb && objcopy --strip-all --add-section .gnu_debugdata=bomb $P program");
	CHECK(block_in(stack_of(workshop.file("program"))) == nullptr);
	CHECK_MEMORY(resident_kib() < 400 * 1024L);
}
