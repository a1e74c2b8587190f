// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <stdlib.h> // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX

// A made-up /proc below a temporary folder, gone with the object.
class FixtureTree {
public:
	FixtureTree() {
		std::string name = (std::filesystem::temp_directory_path() / "loopsnoop-proc-XXXXXX").string();
		root_ = ::mkdtemp(name.data());
	}
	FixtureTree(const FixtureTree &) = delete;
	FixtureTree &operator=(const FixtureTree &) = delete;
	FixtureTree(FixtureTree &&) = delete;
	FixtureTree &operator=(FixtureTree &&) = delete;
	~FixtureTree() {
		std::error_code ignored;
		std::filesystem::remove_all(root_, ignored);
	}

	[[nodiscard]] std::string root() const { return root_.string(); }
	[[nodiscard]] std::string path(const std::string &name) const { return (root_ / name).string(); }

	void file(const std::string &name, std::string_view content) const {
		std::filesystem::create_directories((root_ / name).parent_path());
		std::ofstream(root_ / name, std::ios::binary) << content;
	}
	void link(const std::string &name, const std::string &target) const {
		std::filesystem::create_directories((root_ / name).parent_path());
		std::filesystem::create_symlink(target, root_ / name);
	}
	// An open descriptor: its link and its fdinfo. `flags` in octal, as the kernel writes them.
	void descriptor(unsigned pid, int fd, const std::string &target, const std::string &flags = "02") const {
		const std::string folder = std::to_string(pid);
		link(folder + "/fd/" + std::to_string(fd), target);
		file(folder + "/fdinfo/" + std::to_string(fd), "pos:\t0\nflags:\t" + flags + "\nmnt_id:\t9\n");
	}

private:
	std::filesystem::path root_;
};
