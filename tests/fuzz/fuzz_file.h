// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <memory>

#include "foreign/bytes.h"
#include "fuzz_input.h"

namespace loopsnoop::fuzz {

// A regular file in memory, to which more may be written.
inline UniqueFd memory_file(Bytes bytes) {
	UniqueFd fd(memfd_create("fuzz", MFD_CLOEXEC));
	if (fd.valid() && !bytes.empty()) {
		(void)!write(fd.get(), bytes.data(), bytes.size());
	}
	return fd;
}

inline std::shared_ptr<const foreign::File> file_of(Bytes bytes) { return foreign::File::of(memory_file(bytes)); }

} // namespace loopsnoop::fuzz
