// SPDX-License-Identifier: Apache-2.0
#include "pythons.h"

#include <unistd.h>

#include <cstdlib>

#include "catch.h"

namespace fs = std::filesystem;

namespace loopsnoop::test {

fs::path python_scripts() { return fs::path(LOOPSNOOP_TEST_FOLDER) / "python"; }

std::string from_environment(const char *name) {
	const char *value = std::getenv(name);
	return value == nullptr ? "" : value;
}

Scripts::Scripts(const std::string &root) {
	std::string pattern = root + "/tmp/loopsnoop-XXXXXX";
	REQUIRE(::mkdtemp(pattern.data()) != nullptr);
	folder_ = pattern;
	inside_ = pattern.substr(root.size());
	for (const auto &file : fs::directory_iterator(python_scripts())) {
		if (file.is_regular_file()) {
			fs::copy(file, folder_);
		}
	}
}

Scripts::~Scripts() {
	std::error_code ignored;
	fs::remove_all(folder_, ignored);
}

std::optional<Python> python_of(const std::string &name) {
	const auto colon = name.find(':');
	const std::string suite = name.substr(0, colon);
	const std::string program = "/usr/bin/python" + (colon == std::string::npos ? "3" : name.substr(colon + 1));
	const std::string folder = from_environment("LOOPSNOOP_PYTHONS");
	const std::string root = (folder.empty() ? fs::path(LOOPSNOOP_PYTHONS_FOLDER) : fs::path(folder)) / suite;
	if (fs::exists(root + "/.complete") && fs::exists(root + program) && ::geteuid() == 0) {
		return Python{root, program};
	}
	const std::string reason =
	    ::geteuid() == 0 ? "remove build/pythons/" + suite + " and run scripts/fetch-pythons " + suite : "chroot needs root";
	if (from_environment("LOOPSNOOP_ALLOW_SKIP") != "1") {
		FAIL("no CPython of " << suite << ": " << reason);
	}
	WARN("skipped: no CPython of " << suite << ": " << reason);
	return std::nullopt;
}

} // namespace loopsnoop::test
