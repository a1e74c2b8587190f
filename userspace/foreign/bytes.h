// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "foreign/access.h"

namespace loopsnoop::foreign {

// A regular file of somebody, open. Small reads are served from blocks of 64 KiB, of which the process keeps the last 32 over all
// files: whoever reads an ELF file reads many small pieces that lie close together. A file that changes in place may be seen as
// it was a moment before. One thread at a time, over all files.
class File {
public:
	// The first block is read in the same question.
	[[nodiscard]] static Result<std::shared_ptr<const File>> open(const FileName &name);
	// Of a descriptor of ours. nullptr: not one of a regular file.
	[[nodiscard]] static std::shared_ptr<const File> of(UniqueFd file);
	// `name`: what it is called when it does not answer.
	File(UniqueFd file, FileName name, const FileStatus &status);
	File(const File &) = delete;
	File &operator=(const File &) = delete;
	File(File &&) = delete;
	File &operator=(File &&) = delete;
	~File();

	[[nodiscard]] const FileStatus &status() const { return status_; }
	[[nodiscard]] const FileName &name() const { return name_; }
	[[nodiscard]] int descriptor() const { return file_.get(); } // for `Access::read` alone
	// How many bytes were copied: fewer than asked at the end, and where the file system does not answer.
	[[nodiscard]] std::size_t read_some(std::uint64_t offset, std::span<std::byte> into) const;

private:
	UniqueFd file_;
	FileName name_;
	FileStatus status_;
	std::uint64_t id_;
};

} // namespace loopsnoop::foreign
