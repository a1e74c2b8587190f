// SPDX-License-Identifier: Apache-2.0
#include "stacks/kernel_symbols.h"

#include <cstdlib>
#include <fstream>
#include <random>

#include "catch.h"
#include "temporary_file.h"

using loopsnoop::stacks::KernelSymbols;
using loopsnoop::test::TemporaryFile;

TEST_CASE("kernel addresses become functions and offsets") {
	const TemporaryFile file("ffffffff81000000 T _stext\n"
	                         "ffffffff81000000 T stext_alias_longer\n"
	                         "ffffffff81000100 t do_wait\n"
	                         "ffffffff81000200 W weak_one\n"
	                         "ffffffff81000300 D some_data\n"
	                         "ffffffffc0000010 t module_function\t[nf_tables]\n"
	                         "0000000000000000 A fixed_percpu_data\n");
	KernelSymbols symbols(file.path());
	CHECK(symbols.find(0xffffffff81000123).function == "do_wait");
	CHECK(symbols.find(0xffffffff81000123).offset == 0x23);
	CHECK(symbols.find(0xffffffff81000000).function == "stext_alias_longer"); // fewest leading underscores
	CHECK(symbols.find(0xffffffff810002ff).function == "weak_one");
	CHECK(symbols.find(0xffffffffc0000018).function == "module_function");
	CHECK_FALSE(symbols.hidden());
	// Data, before the first symbol, user space: no name, and the plain address.
	for (const std::uint64_t address : {0xffffffff81000310ULL, 0xffffffff80000000ULL, 0x401000ULL, 0ULL}) {
		CHECK_FALSE(symbols.find(address).function);
		CHECK(symbols.find(address).offset == address);
	}
	CHECK_FALSE(symbols.find(0xffffffffdfffffff).function); // too far behind the last one
}

TEST_CASE("addresses that the kernel hides are no addresses") {
	const TemporaryFile file("0000000000000000 T _stext\n0000000000000000 t do_wait\n");
	KernelSymbols symbols(file.path());
	CHECK(symbols.hidden());
	CHECK_FALSE(symbols.find(0xffffffff81000123).function);
}

TEST_CASE("junk in place of kallsyms is no symbols") {
	std::mt19937 random(23); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same junk each time
	std::string junk(200'000, '\0');
	for (char &byte : junk) {
		byte = static_cast<char>(random() % 256);
	}
	for (const std::string &text :
	     {std::string(), junk, std::string(300'000, 'f'), std::string("ffffffff81000000"), std::string("ffffffff81000000 T\n"),
	      std::string("ffffffff81000000 T \n\n\nffffffff810000000000000 t x\nzz t y\n")}) {
		const TemporaryFile file(text);
		KernelSymbols symbols(file.path());
		CHECK_FALSE(symbols.find(0xffffffff81000000).function);
	}
	KernelSymbols missing("/nonexistent/kallsyms");
	CHECK_FALSE(missing.find(0xffffffff81000000).function);
}

TEST_CASE("the running kernel's symbols load quickly and small") {
	KernelSymbols symbols;
	const auto frame = symbols.find(0xffffffff81000000);
	if (symbols.hidden()) {
		WARN("this kernel hides its addresses from us: nothing to check");
		return;
	}
	CHECK(symbols.size() > 10'000);
	CHECK(symbols.bytes() < 8 * 1024 * 1024);
	// Each function that the file names is found at its own address.
	std::ifstream file("/proc/kallsyms");
	std::string address;
	std::string type;
	std::string name;
	std::size_t found = 0;
	while (found < 100 && file >> address >> type >> name) {
		if (type == "T" && name == "schedule") {
			CHECK(symbols.find(std::strtoull(address.c_str(), nullptr, 16) + 5).function == "schedule");
			++found;
		}
	}
	CHECK(found == 1);
}
