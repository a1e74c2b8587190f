// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace loopsnoop::foreign::test {

// A folder of its own, gone at the end.
class Folder {
public:
	Folder() {
		std::string made = "/tmp/loopsnoop-foreign-XXXXXX";
		path_ = ::mkdtemp(made.data());
	}
	Folder(const Folder &) = delete;
	Folder &operator=(const Folder &) = delete;
	Folder(Folder &&) = delete;
	Folder &operator=(Folder &&) = delete;
	~Folder() { std::filesystem::remove_all(path_); }

	[[nodiscard]] const std::string &path() const { return path_; }
	[[nodiscard]] std::string at(const std::string &name) const { return path_ + "/" + name; }
	std::string write(const std::string &name, const std::string &content) const {
		std::filesystem::create_directories(std::filesystem::path(at(name)).parent_path());
		std::ofstream(at(name)) << content;
		return at(name);
	}

private:
	std::string path_;
};

} // namespace loopsnoop::foreign::test
