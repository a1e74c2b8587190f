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
	// A process of one thread: stat, status, comm. `name`: with anything that a name may hold; `flags`: field 9 of stat; `start`:
	// in ticks.
	void process(unsigned pid, const std::string &name, unsigned tgid, char state = 'S', unsigned flags = 0,
	             unsigned start = 100) const {
		const std::string folder = std::to_string(pid);
		file(folder + "/comm", name + "\n");
		file(folder + "/stat", folder + " (" + name + ") " + state + " 1 1 1 0 -1 " + std::to_string(flags) +
		                           " 0 0 0 0 0 0 0 0 20 0 1 0 " + std::to_string(start) +
		                           " 0 0 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n");
		file(folder + "/status", "Name:\t" + name + "\nState:\t" + std::string(1, state) + "\nTgid:\t" + std::to_string(tgid) +
		                             "\nPid:\t" + folder + "\nPPid:\t1\nUid:\t0\t0\t0\t0\nNSpid:\t" + folder + "\nThreads:\t1\n");
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
