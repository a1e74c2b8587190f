// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "elf/image.h"
#include "foreign/bytes.h"

namespace loopsnoop::stacks {

using FileOfTarget = std::shared_ptr<const foreign::File>;
// Opens a regular file by a path of the target; nullptr when there is none.
using OpenInTarget = std::function<FileOfTarget(const std::string &path)>;

// nullptr: not a file that can be read as x86-64 ELF, or none.
[[nodiscard]] std::shared_ptr<const elf::Image> open_image(FileOfTarget file);

// A regular file by a path of our own root, which is trusted no more than the target's.
[[nodiscard]] FileOfTarget open_ours(const std::string &path);

// The separate debug file of an image that was found at `path`: by build ID below /usr/lib/debug, else by .gnu_debuglink beside
// the file; in the target's root first, then in ours. nullptr: none, or it belongs to another build.
[[nodiscard]] std::shared_ptr<const elf::Image> find_debug_file(const elf::Image &image, const std::string &path,
                                                                const OpenInTarget &open);

// The image inside .gnu_debugdata ("MiniDebugInfo": an xz-packed ELF file that holds .symtab only). nullptr: none, broken, or
// larger than 8 MiB unpacked (elfutils would unpack it whatever its size).
[[nodiscard]] std::shared_ptr<const elf::Image> unpack_mini_debug_info(const elf::Image &image);

} // namespace loopsnoop::stacks
