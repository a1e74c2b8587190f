// SPDX-License-Identifier: Apache-2.0
#include "elf/image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>

#include "catch.h"
#include "elf/find_symbols.h"
#include "process/procfs.h"

using namespace loopsnoop;
using elf::Image;

// What the test searches for in its own file.
extern "C" {
extern const int loopsnoop_test_marker;
const int loopsnoop_test_marker = 42;
}

namespace {

const char *const constant = "what only this test's constants hold";

constexpr std::array<std::string_view, 2> names{"loopsnoop_test_marker", "no such symbol"};

std::shared_ptr<const foreign::File> file_of(const std::string &bytes) {
	UniqueFd file(::memfd_create("elf", MFD_CLOEXEC));
	REQUIRE(file.valid());
	REQUIRE(::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
	return foreign::File::of(std::move(file));
}

std::string bytes_of(const char *path) {
	std::ifstream file(path, std::ios::binary);
	return {std::istreambuf_iterator<char>(file), {}};
}

void read_everything(std::shared_ptr<const foreign::File> file) {
	const auto image = Image::open(std::move(file));
	if (!image) {
		return;
	}
	const auto found = elf::find_symbols(*image, names, elf::Tables::all);
	CHECK(found.size() == 2);
	for (const char *name : {".rodata", ".bss", ".PyRuntime"}) {
		if (const auto section = image->section(name)) {
			CHECK(image->contents(*section, 1U << 20U).size() <= 1U << 20U);
		}
	}
	for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{0x1000}, ~std::uint64_t{0}}) {
		process::Mapping mapping;
		mapping.start = 0x7f0000000000;
		mapping.offset = offset;
		static_cast<void>(image->load_bias(mapping));
	}
}

} // namespace

TEST_CASE("symbols of a running file are where they are") {
	const process::ProcFs proc;
	const auto self = static_cast<std::uint32_t>(::getpid());
	const auto maps = proc.maps(self);
	const auto exe = proc.exe(self);
	REQUIRE((maps && exe));
	const auto image = Image::open(foreign::File::of(UniqueFd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC))));
	REQUIRE(image);
	const auto found = elf::find_symbols(*image, names, elf::Tables::all);
	CHECK(found[1] == 0);
	int mappings = 0;
	for (const process::Mapping &mapping : *maps) {
		if (mapping.path != exe->path) {
			continue;
		}
		++mappings;
		const auto bias = image->load_bias(mapping);
		REQUIRE(bias);
		CHECK(*bias + found[0] == reinterpret_cast<std::uint64_t>(&loopsnoop_test_marker));
	}
	CHECK(mappings > 1);
}

TEST_CASE("sections") {
	const auto image = Image::open(foreign::File::of(UniqueFd(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC))));
	REQUIRE(image);
	const auto rodata = image->section(".rodata");
	REQUIRE(rodata != nullptr);
	const auto bytes = image->contents(*rodata, 16U << 20U);
	CHECK(bytes.size() == std::min<std::uint64_t>(rodata->bytes, 16U << 20U));
	const std::string_view text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
	CHECK(text.find(constant) != std::string_view::npos);
	CHECK(image->contents(*rodata, 10).size() == 10);
	const auto bss = image->section(".bss");
	REQUIRE(bss != nullptr);
	CHECK(image->contents(*bss, 100).empty());
	CHECK_FALSE(image->section(".no such section"));
}

TEST_CASE("files that are no ELF files, or were") {
	CHECK_FALSE(Image::open(nullptr));
	CHECK_FALSE(Image::open(file_of("")));
	CHECK_FALSE(Image::open(file_of("#!/bin/sh\n")));
	CHECK_FALSE(Image::open(file_of("\x7f"
	                                "ELF")));
	CHECK_FALSE(Image::open(foreign::File::of(UniqueFd(::open("/", O_RDONLY | O_CLOEXEC)))));
	const std::string whole = bytes_of("/bin/true"); // small, and as real as any
	REQUIRE(whole.size() > 10'000);
	std::mt19937_64 random(1); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same files each time
	for (const std::size_t size :
	     {std::size_t{16}, std::size_t{64}, std::size_t{200}, std::size_t{4096}, whole.size() / 2, whole.size() - 1}) {
		read_everything(file_of(whole.substr(0, size)));
	}
	// Numbers in the ELF header and the tables that mean something else.
	for (int round = 0; round < 20; ++round) {
		std::string bytes = whole;
		for (int i = 0; i < 8; ++i) {
			bytes[4 + random() % 60] = static_cast<char>(random());
			bytes[bytes.size() - 1 - random() % 2048] = static_cast<char>(random());
			bytes[64 + random() % 1024] = static_cast<char>(random());
		}
		read_everything(file_of(bytes));
		bytes[4] = 2; // again as a 64-bit file, to get further
		bytes[18] = 62;
		bytes[19] = 0;
		read_everything(file_of(bytes));
	}
}
