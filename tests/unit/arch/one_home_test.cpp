// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "catch.h"

namespace fs = std::filesystem;

namespace {

// What only the CPU's own file may say. Names of libraries and packages have "x86_64" in them everywhere.
const std::regex &cpu_words() {
	static const std::regex words(
	    R"(\bEM_(X86_64|AARCH64)\b|\borig_ax\b|\bfs_?base\b|\br1[0-5]\b|\br[sb]p\b|\brip\b|\bregs->(?!r\b)[a-z]|__x64_sys_|asm_sysvec|entry_SYSCALL|\b__NR_\w+|\bAUDIT_ARCH_\w+|\b__(x86_64|aarch64)__|\bSYS_(poll|select|open|rename|epoll_wait|iopl|ioperm|modify_ldt)\b|\bLS_SYSCALL\()");
	return words;
}

std::string without_comments(const std::string &text) {
	static const std::regex comments(R"(//[^\n]*|/\*[^*]*\*+([^/*][^*]*\*+)*/)");
	return std::regex_replace(text, comments, "");
}

std::vector<std::string> findings(const fs::path &root) {
	std::vector<std::string> found;
	for (const fs::directory_entry &entry : fs::recursive_directory_iterator(root)) {
		const std::string extension = entry.path().extension();
		const bool own = entry.path().parent_path().filename() == "arch";
		if (own || (extension != ".cpp" && extension != ".h" && extension != ".c" && extension != ".def")) {
			continue;
		}
		std::ifstream file(entry.path());
		std::stringstream text;
		text << file.rdbuf();
		const std::string code = without_comments(text.str());
		std::smatch match;
		if (std::regex_search(code, match, cpu_words())) {
			found.push_back(entry.path().string() + ": " + match.str());
		}
	}
	return found;
}

} // namespace

TEST_CASE("registers, system call numbers and the ELF machine are known in arch/ only") {
	for (const char *const side : {"bpf", "userspace"}) {
		const auto found = findings(fs::path(LOOPSNOOP_SOURCES) / side);
		CAPTURE(side, found);
		CHECK(found.empty());
	}
}

TEST_CASE("the rule finds what it is to find") {
	const fs::path directory = fs::temp_directory_path() / ("one_home_" + std::to_string(::getpid()));
	fs::create_directories(directory / "arch");
	std::ofstream(directory / "arch" / "cpu.h") << "EM_X86_64";
	std::ofstream(directory / "clean.cpp") << "int x; // rsp, fs_base\n/* orig_ax */ long r = 10;\n";
	CHECK(findings(directory).empty());
	std::ofstream(directory / "other.cpp") << "auto a = regs->di;\n";
	std::ofstream(directory / "third.h") << "case SYS_poll: break;\n";
	std::ofstream(directory / "fourth.h") << "constexpr auto arch = AUDIT_ARCH_X86_64;\n";
	CHECK(findings(directory).size() == 3);
	fs::remove_all(directory);
}
