// SPDX-License-Identifier: Apache-2.0
// Functions that the compiler put into their callers: against what addr2line (binutils) makes of the same files, in processes
// that run, and against files that are no files.
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "capture.h"
#include "catch.h"
#include "stacks/demangle.h"
#include "stacks/module.h"
#include "stacks/symbolizer.h"

using namespace loopsnoop;
using namespace loopsnoop::stacks;

namespace {

const std::string built = STACKS_BUILT;

struct OracleFrame {
	std::string function;
	std::string file;
	int line = 0;
};

// `addr2line -a -i -f`: "0xADDRESS", then two lines a frame, innermost first.
std::vector<std::vector<OracleFrame>> addr2line(const std::string &path, const std::vector<std::uint64_t> &addresses) {
	const std::string list = "/tmp/inlined_test." + std::to_string(getpid());
	{
		std::ofstream file(list);
		for (const std::uint64_t address : addresses) {
			file << std::hex << address << '\n';
		}
	}
	FILE *const pipe = popen(("addr2line -a -i -f -e '" + path + "' <" + list + " 2>/dev/null").c_str(), "r");
	REQUIRE(pipe != nullptr);
	std::vector<std::vector<OracleFrame>> found;
	std::array<char, 65536> buffer{};
	std::string function;
	while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) {
		std::string line(buffer.data());
		line.resize(line.find_last_not_of('\n') + 1);
		if (line.starts_with("0x")) {
			found.emplace_back();
			function.clear();
		} else if (function.empty()) {
			function = line;
		} else {
			const std::size_t colon = line.rfind(':');
			found.back().push_back({function, line.substr(0, colon), std::atoi(line.c_str() + colon + 1)});
			function.clear();
		}
	}
	pclose(pipe);
	unlink(list.c_str());
	return found;
}

std::string base_name(const std::string &path) { return path.substr(path.rfind('/') + 1); }

// What a compiler appends to a part or a copy of a function, which debug information does not.
std::string without_clone(std::string name) {
	name.resize(std::min(name.find(" [clone"), name.size()));
	return name.substr(0, std::min(name.find('.', 1), name.size()));
}

// addr2line takes a symbol's name for the innermost frame where one begins, and knows no scopes of what has no linkage name.
bool same_name(const std::string &ours, const std::vector<OracleFrame> &theirs, std::size_t at) {
	const std::string name = demangle(theirs[at].function);
	const bool plain = name.find_first_of("(:<") == std::string::npos;
	return without_clone(ours) == without_clone(name) || (plain && ours.find(name) != std::string::npos) ||
	       (at == 0 && theirs.size() > 1);
}

struct Compared {
	std::size_t places = 0;
	std::size_t inlined = 0;
	std::size_t different = 0;
	std::size_t padding = 0;
	std::string first_difference;
};

Compared compare(const std::string &path, std::uint64_t step) {
	const auto image = open_image(open_ours(path));
	REQUIRE(image != nullptr);
	Module module(image);
	const DebugSearch search{path, [](const std::string &) { return FileOfTarget{}; }};
	const elf::Section *const code = image->section(".text");
	REQUIRE(code != nullptr);
	std::vector<std::uint64_t> addresses;
	for (std::uint64_t address = code->address; address < code->address + code->bytes; address += step) {
		addresses.push_back(address);
	}
	const auto oracle = addr2line(path, addresses);
	REQUIRE(oracle.size() == addresses.size());
	Compared result;
	for (std::size_t i = 0; i < addresses.size(); ++i) {
		const auto &theirs = oracle[i];
		if (theirs.empty() || theirs.front().function == "??" || theirs.front().line == 0) {
			continue;
		}
		const std::vector<Place> &ours = module.places(addresses[i], search);
		// Between two functions lies padding, which addr2line takes for the end of the one before.
		if (ours.size() == 1 && !ours.front().function) {
			++result.padding;
			continue;
		}
		++result.places;
		result.inlined += theirs.size() > 1 ? 1 : 0;
		bool same = ours.size() == theirs.size();
		for (std::size_t at = 0; same && at < ours.size(); ++at) {
			same = same_name(ours[at].function.value_or(""), theirs, at) &&
			       base_name(ours[at].file.value_or("")) == base_name(theirs[at].file) &&
			       ours[at].line.value_or(0) == theirs[at].line;
		}
		if (!same && result.different++ == 0) {
			std::ostringstream text;
			text << path << " at " << std::hex << addresses[i] << std::dec;
			for (const Place &one : ours) {
				text << "\n  ours   " << one.function.value_or("?") << ' ' << one.file.value_or("?") << ':'
				     << one.line.value_or(0);
			}
			for (const OracleFrame &one : theirs) {
				text << "\n  theirs " << demangle(one.function) << ' ' << one.file << ':' << one.line;
			}
			result.first_difference = text.str();
		}
	}
	return result;
}

const NativeFrame *frame_called(const Stack &stack, const std::string &part) {
	for (const NativeFrame &frame : stack.native) {
		if (frame.function && frame.function->find(part) != std::string::npos) {
			return &frame;
		}
	}
	return nullptr;
}

} // namespace

TEST_CASE("inlined functions are the ones that addr2line finds") {
	for (const char *const name : {"/stacks_inlined", "/stacks_inlined_dwarf4", "/stacks_inlined_c"}) {
		const Compared result = compare(built + name, 1);
		INFO(name << ": " << result.different << " of " << result.places << " differ; " << result.first_difference);
		CHECK(result.places > 50);
		CHECK(result.inlined > 5);
		CHECK(result.different == 0);
		CHECK(result.padding * 20 < result.places);
	}
}

// addr2line of Debian 12 cannot read it, so the same code in the common form is the oracle.
TEST_CASE("64-bit DWARF gives the places that 32-bit DWARF gives") {
	const auto common_image = open_image(open_ours(built + "/stacks_inlined"));
	const auto wide_image = open_image(open_ours(built + "/stacks_inlined_wide"));
	REQUIRE((common_image != nullptr && wide_image != nullptr));
	Module common(common_image);
	Module wide(wide_image);
	const DebugSearch search{"/nowhere", [](const std::string &) { return FileOfTarget{}; }};
	const elf::Section *const code = common_image->section(".text");
	REQUIRE((code != nullptr && wide_image->section(".text")->address == code->address));
	std::size_t inlined = 0;
	for (std::uint64_t address = code->address; address < code->address + code->bytes; ++address) {
		const std::vector<Place> expected = common.places(address, search);
		const std::vector<Place> found = wide.places(address, search);
		REQUIRE(found.size() == expected.size());
		for (std::size_t i = 0; i < expected.size(); ++i) {
			CHECK((found[i].function == expected[i].function && found[i].file == expected[i].file &&
			       found[i].line == expected[i].line));
		}
		inlined += expected.size() > 1 ? 1 : 0;
	}
	CHECK(inlined > 5);
}

TEST_CASE("inlined functions of a large program are the ones that addr2line finds") {
	const Compared result = compare(built + "/unit_stacks", 2503);
	INFO(result.different << " of " << result.places << " differ; " << result.first_difference);
	CHECK(result.places > 300);
	// Of units whose entries are not all read the inlined frames are missing; more than one place in 25 would be another fault.
	CHECK(result.different * 25 <= result.places);
}

TEST_CASE("a sleeping thread shows the functions that were inlined, each with its own file") {
	for (const char *const name : {"/stacks_inlined", "/stacks_inlined_dwarf4"}) {
		test::Child child({built + name});
		REQUIRE(child.sleeps_in(SYS_clock_nanosleep));
		Symbolizer symbolizer{process::ProcFs()};
		const Stack stack = symbolizer.native_and_kernel(test::capture(child.pid()).value());
		const NativeFrame *const pause = frame_called(stack, "Directory::pause");
		const NativeFrame *const forget = frame_called(stack, "Directory::forget");
		const NativeFrame *const drop = frame_called(stack, "drop(int)");
		REQUIRE((pause != nullptr && forget != nullptr && drop != nullptr));
		CHECK((pause < forget && forget < drop));
		CHECK((base_name(pause->file.value_or("")) == "inlined.cpp" && pause->line == 21));
		CHECK((base_name(forget->file.value_or("")) == "inlined.cpp" && forget->line == 15));
		CHECK((base_name(drop->file.value_or("")) == "inlined.cpp" && drop->line == 33));
	}
}

TEST_CASE("C has inlined functions, too") {
	test::Child child({built + "/stacks_inlined_c"});
	REQUIRE(child.sleeps_in(SYS_clock_nanosleep));
	Symbolizer symbolizer{process::ProcFs()};
	const Stack stack = symbolizer.native_and_kernel(test::capture(child.pid()).value());
	const NativeFrame *const wait = frame_called(stack, "wait_for");
	const NativeFrame *const retry = frame_called(stack, "retry");
	const NativeFrame *const serve = frame_called(stack, "serve");
	REQUIRE((wait != nullptr && retry != nullptr && serve != nullptr));
	CHECK((wait->line == 7 && retry->line == 11 && serve->line == 15));
}

TEST_CASE("where the entries lie in another file, no function has the file of another") {
	const std::string path = built + "/stacks_inlined_split";
	const auto image = open_image(open_ours(path));
	REQUIRE(image != nullptr);
	Module module(image);
	const DebugSearch search{path, [](const std::string &) { return FileOfTarget{}; }};
	const elf::Section *const code = image->section(".text");
	std::size_t placed = 0;
	for (std::uint64_t address = code->address; address < code->address + code->bytes; ++address) {
		for (const Place &place : module.places(address, search)) {
			CHECK((!place.file || base_name(*place.file) == "inlined.cpp"));
			placed += place.file ? 1 : 0;
		}
	}
	CHECK(placed > 10);
}

TEST_CASE("broken debugging entries end, soon, and cost little") {
	for (const char *const name : {"/stacks_inlined", "/stacks_inlined_dwarf4"}) {
		const auto whole_image = open_image(open_ours(built + name));
		REQUIRE(whole_image != nullptr);
		const auto whole = whole_image->bytes().read_bytes(0, whole_image->bytes().size()).value();
		const elf::Section *const code = whole_image->section(".text");
		std::size_t answers = 0;
		for (unsigned seed = 1; seed <= 300; ++seed) {
			std::mt19937 random(seed); // NOLINT(cert-msc32-c,cert-msc51-cpp): each failure can be had again
			auto bytes = whole;
			for (const char *const section :
			     {".debug_info", ".debug_abbrev", ".debug_rnglists", ".debug_ranges", ".debug_str_offsets", ".debug_line"}) {
				const elf::Section *const found = whole_image->section(section);
				for (unsigned i = 0; found != nullptr && i < 8; ++i) {
					bytes[found->offset + random() % found->bytes] = static_cast<std::uint8_t>(random());
				}
			}
			auto image = elf::Image::read(std::make_shared<elf::MemoryBytes>(std::move(bytes)));
			REQUIRE(image.has_value());
			Module module(std::make_shared<const elf::Image>(std::move(*image)));
			const DebugSearch search{"/nowhere", [](const std::string &) { return FileOfTarget{}; }};
			const std::uint64_t begun = monotonic_ns();
			for (std::uint64_t address = code->address; address < code->address + code->bytes; address += 37) {
				answers += module.places(address, search).size();
			}
			CHECK(monotonic_ns() - begun < 20'000'000'000ULL);
		}
		CHECK(answers > 1000);
	}
	CHECK_MEMORY(test::resident_kib() < 400 * 1024L);
}
