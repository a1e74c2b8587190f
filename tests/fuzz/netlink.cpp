// SPDX-License-Identifier: Apache-2.0
// Answers of sock_diag: the kernel makes them, but addresses and names in them are those of others.
#include <vector>

#include "fuzz_input.h"
#include "process/sock_diag.h"
#include "process/tcp_diag.h"

using namespace loopsnoop;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	const auto message = std::as_bytes(std::span(data, size));
	if (const auto socket = process::parse_tcp_message(message)) {
		(void)socket->local.text();
		(void)socket->remote.text();
	}
	std::size_t bytes = 0;
	process::each_diag_attribute(message, size / 4,
	                             [&](std::uint16_t /*type*/, std::span<const std::byte> value) { bytes += value.size(); });
	if (bytes > size) {
		__builtin_trap(); // attributes do not overlap
	}
	return 0;
}
