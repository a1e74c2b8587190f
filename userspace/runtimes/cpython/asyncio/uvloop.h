// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "runtimes/cpython/object_reader.h"

namespace loopsnoop::runtimes::cpython::asyncio {

// The descriptor of a stream's transport of uvloop (TCPTransport, UnixTransport, pipes; of a connection with TLS the one below
// it), whose members are no attributes: it is libuv's. Believed where libuv's handle leads back to the transport and its loop
// watches that descriptor for that very handle. nullopt: none of these, a stream that is not watched now (it reads and writes
// nothing), or another layout. uvloop 0.14 to 0.23; libuv 1.x, whose structs are part of its ABI.
[[nodiscard]] std::optional<int> uvloop_descriptor(ObjectReader &reader, std::uint64_t transport);

} // namespace loopsnoop::runtimes::cpython::asyncio
