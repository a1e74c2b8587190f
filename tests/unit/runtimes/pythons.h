// SPDX-License-Identifier: Apache-2.0
// The interpreters of the tests: those of scripts/fetch-pythons, each in a root of its own, and the machine's.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace loopsnoop::test {

// The Python programs of the tests.
[[nodiscard]] std::filesystem::path python_scripts();
[[nodiscard]] std::string from_environment(const char *name); // empty: not set

struct Python {
	std::string root;    // empty: this machine's
	std::string program; // inside the root
};

// A folder inside the target's root with the scripts in it; gone with this.
class Scripts {
public:
	explicit Scripts(const std::string &root);
	Scripts(const Scripts &) = delete;
	Scripts &operator=(const Scripts &) = delete;
	Scripts(Scripts &&) = delete;
	Scripts &operator=(Scripts &&) = delete;
	~Scripts();
	[[nodiscard]] std::string inside(const std::string &name) const { return inside_ + "/" + name; }
	[[nodiscard]] std::filesystem::path outside() const { return folder_; }

private:
	std::filesystem::path folder_;
	std::string inside_;
};

// The interpreter of a suite, "trixie", or one of several, "sid:3.15"; nullopt, and the test case failed (or, where that is
// allowed, left), when it is not there.
[[nodiscard]] std::optional<Python> python_of(const std::string &name);

} // namespace loopsnoop::test
