// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "elf/image.h"
#include "process/mapping.h"
#include "process/procfs.h"

namespace loopsnoop::runtimes {

// The ELF file behind a mapping, deleted or replaced ones and other root directories included. nullopt: cannot be had.
[[nodiscard]] std::optional<elf::Image> open_mapped(const process::ProcFs &proc, std::uint32_t pid,
                                                    const process::Mapping &mapping);

// Files that were read and that nothing of a runtime is in, by device and inode: what is mapped stays the file it is.
class FilesWithout {
public:
	[[nodiscard]] bool has(const process::Mapping &mapping) const { return files_.contains(id(mapping)); }
	void add(const process::Mapping &mapping) { files_.insert(id(mapping)); }

private:
	using Id = std::pair<std::uint64_t, std::uint64_t>;
	static Id id(const process::Mapping &mapping) {
		return {std::uint64_t{mapping.device_major} << 32U | mapping.device_minor, mapping.inode};
	}
	std::set<Id> files_;
};

// What one of them is, as `is_it` finds: ask no further; another one may be; and this one never will be.
enum class FileHas : std::uint8_t { runtime, nothing_yet, nothing };

// The files that a language's runtime may be in, each with its load bias, until `is_it` says that it is: libraries of that name
// first, for beside one the executable is a stub or a server that embeds it. Those in `without` are not read, and those found to
// have nothing are added. False: none was.
bool any_runtime_file(const process::ProcFs &proc, std::uint32_t pid, bool (*is_library)(std::string_view path),
                      const std::function<FileHas(const elf::Image &image, std::uint64_t bias, std::string_view path)> &is_it,
                      FilesWithout *without = nullptr);

// "/usr/lib/libpython3.11.so.1.0" gives "libpython3.11.so.1.0".
[[nodiscard]] constexpr std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Node as a library, as Debian has it: "libnode.so.108".
[[nodiscard]] constexpr bool is_libnode(std::string_view path) { return file_name(path).starts_with("libnode.so"); }

} // namespace loopsnoop::runtimes
