// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace loopsnoop::test {

// A file with that text, gone at the end of the test.
class TemporaryFile {
public:
	explicit TemporaryFile(const std::string &text) {
		std::string pattern = (std::filesystem::temp_directory_path() / "loopsnoop-XXXXXX").string();
		const int fd = mkstemp(pattern.data());
		close(fd);
		path_ = pattern;
		write(text);
	}
	TemporaryFile(const TemporaryFile &) = delete;
	TemporaryFile(TemporaryFile &&) = delete;
	TemporaryFile &operator=(const TemporaryFile &) = delete;
	TemporaryFile &operator=(TemporaryFile &&) = delete;
	~TemporaryFile() { unlink(path_.c_str()); }

	[[nodiscard]] const std::string &path() const { return path_; }
	void write(const std::string &text) const { std::ofstream(path_, std::ios::binary | std::ios::trunc) << text; }
	void append(const std::string &text) const { std::ofstream(path_, std::ios::binary | std::ios::app) << text; }

private:
	std::string path_;
};

} // namespace loopsnoop::test
