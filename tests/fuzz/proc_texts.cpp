// SPDX-License-Identifier: Apache-2.0
// Texts of /proc: names and paths in them are the target's.
#include "fuzz_input.h"
#include "process/file_locks.h"
#include "process/mapping.h"
#include "process/socket_address.h"
#include "process/socket_table.h"
#include "process/status.h"

using namespace loopsnoop;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	const std::string_view text = fuzz::text_of({data, size});
	(void)process::parse_maps(text);
	const std::size_t half = text.find('\0');
	(void)process::parse_status(text.substr(0, half), half == std::string_view::npos ? text : text.substr(half + 1));
	(void)process::parse_syscall(text);
	(void)process::parse_inet_line(text);
	(void)process::parse_unix_line(text);
	(void)process::parse_file_lock(text);
	(void)process::parse_hex_address(text);
	if (const auto address = process::parse_address(text)) {
		(void)address->text();
	}
	return 0;
}
