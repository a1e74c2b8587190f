// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "process/mapping.h"
#include "process/procfs.h"
#include "runtimes/elf_image.h"

namespace loopsnoop::runtimes {

// The ELF file behind a mapping, deleted or replaced ones and other root directories included. nullopt: cannot be had.
[[nodiscard]] std::optional<ElfImage> open_mapped(const process::ProcFs &proc, std::uint32_t pid,
                                                  const process::Mapping &mapping);

// The files that a language's runtime may be in, each with its load bias, until `is_it` says that it is: libraries of that name
// first, for beside one the executable is a stub or a server that embeds it. False: none was.
bool any_runtime_file(const process::ProcFs &proc, std::uint32_t pid, bool (*is_library)(std::string_view path),
                      const std::function<bool(const ElfImage &image, std::uint64_t bias, std::string_view path)> &is_it);

// "/usr/lib/libpython3.11.so.1.0" gives "libpython3.11.so.1.0".
[[nodiscard]] constexpr std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Node as a library, as Debian has it: "libnode.so.108".
[[nodiscard]] constexpr bool is_libnode(std::string_view path) { return file_name(path).starts_with("libnode.so"); }

} // namespace loopsnoop::runtimes
