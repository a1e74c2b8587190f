// SPDX-License-Identifier: Apache-2.0
// Files that are no files: whatever their bytes say, there is an answer, soon, and no answer that costs memory without bound.
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "base/clock.h"
#include "capture.h"
#include "catch.h"
#include "stacks/frame_step.h"
#include "stacks/module.h"
#include "stacks/symbolizer.h"

using namespace loopsnoop;
using namespace loopsnoop::stacks;
using Bytes = std::vector<std::uint8_t>;

namespace {

Bytes read_file(const std::string &path) {
	const auto image = open_image(open_ours(path));
	REQUIRE(image != nullptr);
	return image->bytes().read_bytes(0, image->bytes().size()).value();
}

FileOfTarget file_of(const Bytes &bytes) {
	UniqueFd fd(memfd_create("hostile", MFD_CLOEXEC));
	REQUIRE(write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
	return foreign::File::of(std::move(fd));
}

// Everything that is ever asked of a file. The number of answers, so that nothing is optimized away.
std::size_t ask(const Bytes &bytes) {
	const auto image = open_image(file_of(bytes));
	if (!image) {
		return 0;
	}
	Module module(image);
	const DebugSearch search{"/nowhere/plugin.so", [](const std::string &) { return FileOfTarget(); }};
	std::size_t answers = 0;
	for (std::uint64_t address = 0x1000; address < 0x1400; address += 7) {
		answers += module.row(address) != nullptr ? 1 : 0;
		answers += module.places(address, search).back().function ? 1 : 0;
	}
	for (const std::uint64_t address : std::vector<std::uint64_t>{0, ~0ULL, image->entry(), 1ULL << 63U}) {
		answers += module.row(address) != nullptr ? 1 : 0;
		answers += module.places(address, search).back().function ? 1 : 0;
	}
	answers += image->address_of_offset(0x1010).has_value() ? 1 : 0;
	return answers;
}

template <typename T> void patch(Bytes &bytes, std::size_t offset, T value) {
	std::memcpy(bytes.data() + offset, &value, sizeof(value));
}

const std::string plugin = std::string(STACKS_BUILT) + "/libstacks_plugin.so";

} // namespace

TEST_CASE("the file itself has answers") { CHECK(ask(read_file(plugin)) > 20); }

TEST_CASE("a truncated ELF file is read as far as it goes") {
	const Bytes whole = read_file(plugin);
	for (std::size_t bytes = 0; bytes < 1024; bytes += 13) {
		static_cast<void>(ask(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(bytes))));
	}
	for (std::size_t bytes = 1024; bytes < whole.size(); bytes += 509) {
		static_cast<void>(ask(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(bytes))));
	}
	SUCCEED();
}

TEST_CASE("absurd ELF headers are no headers") {
	const Bytes whole = read_file(plugin);
	const auto with = [&](auto &&change) {
		Bytes bytes = whole;
		change(bytes);
		static_cast<void>(ask(bytes));
	};
	with([](Bytes &b) { patch<std::uint16_t>(b, offsetof(Elf64_Ehdr, e_shnum), 0xffff); });
	with([](Bytes &b) { patch<std::uint16_t>(b, offsetof(Elf64_Ehdr, e_phnum), 0xffff); });
	with([](Bytes &b) { patch<std::uint64_t>(b, offsetof(Elf64_Ehdr, e_shoff), ~0ULL - 7); });
	with([](Bytes &b) { patch<std::uint64_t>(b, offsetof(Elf64_Ehdr, e_phoff), ~0ULL - 7); });
	with([](Bytes &b) { patch<std::uint16_t>(b, offsetof(Elf64_Ehdr, e_shstrndx), 0xfffe); });
	with([](Bytes &b) { patch<std::uint16_t>(b, offsetof(Elf64_Ehdr, e_shentsize), 1); });
	Elf64_Ehdr header{};
	std::memcpy(&header, whole.data(), sizeof(header));
	for (unsigned i = 0; i < header.e_shnum; ++i) {
		const std::size_t section = header.e_shoff + i * sizeof(Elf64_Shdr);
		for (const std::uint64_t value : std::vector<std::uint64_t>{0, 1, ~15ULL, ~0ULL / 2, whole.size()}) {
			with([&](Bytes &b) { patch<std::uint64_t>(b, section + offsetof(Elf64_Shdr, sh_size), value); });
			with([&](Bytes &b) { patch<std::uint64_t>(b, section + offsetof(Elf64_Shdr, sh_offset), value); });
			with([&](Bytes &b) { patch<std::uint64_t>(b, section + offsetof(Elf64_Shdr, sh_addr), value); });
		}
		with([&](Bytes &b) { patch<std::uint32_t>(b, section + offsetof(Elf64_Shdr, sh_link), 0xffffffff); });
		with([&](Bytes &b) {
			patch<std::uint64_t>(b, section + offsetof(Elf64_Shdr, sh_flags), SHF_COMPRESSED | SHF_ALLOC | SHF_EXECINSTR);
		});
		// Sections on top of each other: each section once where the symbols are.
		with([&](Bytes &b) { patch<std::uint64_t>(b, section + offsetof(Elf64_Shdr, sh_offset), header.e_shoff); });
	}
	for (unsigned i = 0; i < header.e_phnum; ++i) {
		const std::size_t segment = header.e_phoff + i * sizeof(Elf64_Phdr);
		for (const std::uint64_t value : std::vector<std::uint64_t>{0, ~15ULL, ~0ULL / 2}) {
			with([&](Bytes &b) { patch<std::uint64_t>(b, segment + offsetof(Elf64_Phdr, p_offset), value); });
			with([&](Bytes &b) { patch<std::uint64_t>(b, segment + offsetof(Elf64_Phdr, p_vaddr), value); });
			with([&](Bytes &b) { patch<std::uint64_t>(b, segment + offsetof(Elf64_Phdr, p_filesz), value); });
		}
	}
	CHECK_MEMORY(test::resident_kib() < 400 * 1024L);
}

TEST_CASE("random bytes behind an ELF header are nothing") {
	const Bytes whole = read_file(plugin);
	for (unsigned seed = 1; seed <= 100; ++seed) {
		std::mt19937 random(seed); // NOLINT(cert-msc32-c,cert-msc51-cpp): each failure can be had again
		Bytes bytes(4096);
		for (std::uint8_t &byte : bytes) {
			byte = static_cast<std::uint8_t>(random());
		}
		std::copy_n(whole.begin(), seed % 2 == 0 ? sizeof(Elf64_Ehdr) : 20, bytes.begin());
		static_cast<void>(ask(bytes));
	}
	SUCCEED();
}

TEST_CASE("some hundred broken copies of a real file do no harm") {
	const Bytes whole = read_file(plugin);
	const std::uint64_t start_ns = monotonic_ns();
	for (unsigned seed = 1; seed <= 600; ++seed) {
		std::mt19937 random(seed); // NOLINT(cert-msc32-c,cert-msc51-cpp): each failure can be had again
		Bytes bytes = whole;
		const std::size_t changes = 1 + random() % 64;
		for (std::size_t i = 0; i < changes; ++i) {
			bytes[random() % bytes.size()] =
			    seed % 3 == 0 ? static_cast<std::uint8_t>(random()) : static_cast<std::uint8_t>(1U << (random() % 8U));
		}
		std::copy_n(whole.begin(), 20, bytes.begin()); // or it is refused at once
		INFO("seed " << seed);
		static_cast<void>(ask(bytes));
	}
	CHECK(monotonic_ns() - start_ns < 60'000'000'000);
	CHECK_MEMORY(test::resident_kib() < 400 * 1024L);
}

TEST_CASE("a symbol table that lies names nothing wrong") {
	// Every symbol's size is everything: what starts nearest still wins, and names of junk do no harm.
	Bytes bytes = read_file(plugin);
	const auto image = elf::Image::read(std::make_shared<elf::MemoryBytes>(bytes));
	REQUIRE(image);
	for (const elf::Section &section : image->sections()) {
		if (section.type == SHT_SYMTAB) {
			for (std::uint64_t at = section.offset; at < section.offset + section.bytes; at += sizeof(Elf64_Sym)) {
				patch<std::uint64_t>(bytes, at + offsetof(Elf64_Sym, st_size), ~0ULL);
			}
		} else if (section.name == ".strtab") {
			for (std::uint64_t at = section.offset + 1; at < section.offset + section.bytes; ++at) {
				bytes[at] = 0xff; // no NUL from here to the end of the table
			}
		}
	}
	static_cast<void>(ask(bytes));
	SUCCEED();
}

TEST_CASE("garbage stacks of our own process end") {
	// The registers and the bytes are noise, but the code they point into is real.
	Symbolizer symbolizer{process::ProcFs()};
	const auto here = reinterpret_cast<std::uint64_t>(&read_file);
	for (unsigned seed = 1; seed <= 500; ++seed) {
		std::mt19937_64 random(seed); // NOLINT(cert-msc32-c,cert-msc51-cpp): each failure can be had again
		RawStack raw;
		raw.pid = static_cast<std::uint32_t>(getpid());
		raw.have_registers = true;
		raw.from = StackFrom::captured;
		raw.stack_address = 0x7ffc00000000;
		raw.stack_bytes.resize(random() % 16384);
		for (std::size_t at = 0; at + 8 <= raw.stack_bytes.size(); at += 8) {
			const std::uint64_t word = random() % 4 == 0   ? here + random() % 65536
			                           : random() % 2 == 0 ? raw.stack_address + random() % 16384 / 8 * 8
			                                               : random();
			patch(raw.stack_bytes, at, word);
		}
		for (std::uint64_t &reg : raw.registers.r) {
			reg = random() % 2 == 0 ? raw.stack_address + random() % 16384 / 8 * 8 : random();
		}
		raw.registers.r[UserRegisters::instruction_pointer] = random() % 8 == 0 ? random() : here + random() % 65536;
		raw.registers.r[UserRegisters::stack_pointer] = raw.stack_address + (random() % 4 == 0 ? random() : 0);
		const Stack stack = symbolizer.native_and_kernel(raw);
		CHECK(stack.native.size() <= 256);
	}
}

TEST_CASE("a frame that is its own caller ends the walk") {
	Symbolizer symbolizer{process::ProcFs()};
	RawStack raw;
	raw.pid = static_cast<std::uint32_t>(getpid());
	raw.have_registers = true;
	raw.from = StackFrom::captured;
	raw.stack_address = 0x7ffc00000000;
	raw.stack_bytes.resize(4096);
	for (std::size_t at = 0; at < raw.stack_bytes.size(); at += 8) {
		patch(raw.stack_bytes, at, raw.stack_address);
	}
	raw.registers.r[UserRegisters::stack_pointer] = raw.stack_address;
	raw.registers.r[UserRegisters::frame_pointer] = raw.stack_address;
	raw.registers.r[UserRegisters::instruction_pointer] = 0x1000;
	const Stack stack = symbolizer.native_and_kernel(raw);
	CHECK(stack.native.size() == 1);
	CHECK(stack.native_truncated);
	// Nothing copied at all, and no such process.
	raw.stack_bytes.clear();
	raw.pid = 0x7ffffffe;
	CHECK(symbolizer.native_and_kernel(raw).native.size() == 1);
	raw.have_registers = false;
	CHECK(symbolizer.native_and_kernel(raw).native.empty());
}
