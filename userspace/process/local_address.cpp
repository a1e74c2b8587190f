// SPDX-License-Identifier: Apache-2.0
#include "process/local_address.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "process/pseudo_file.h"
#include "process/text.h"

namespace loopsnoop::process {

namespace {

// "   |-- 192.0.2.2", and below it "      /32 host LOCAL" (net/ipv4/fib_trie.c).
bool in_fib_trie(const std::string &path, const std::string &ip) {
	bool found = false;
	bool at_address = false;
	each_line(path, [&](std::string_view line) {
		Words words(line);
		const std::string_view first = words.next();
		if (first == "|--") {
			at_address = words.next() == ip;
		} else if (at_address && first == "/32" && words.next() == "host" && words.next() == "LOCAL") {
			found = true;
		}
		return !found;
	});
	return found;
}

bool in_if_inet6(const std::string &path, const SocketAddress &address) {
	std::string wanted;
	for (const std::uint8_t byte : address.ip) {
		wanted += fmt::format("{:02x}", byte);
	}
	bool found = false;
	each_line(path, [&](std::string_view line) {
		found = Words(line).next() == wanted;
		return !found;
	});
	return found;
}

} // namespace

bool is_local_address(const ProcFs &procfs, std::uint32_t pid, const SocketAddress &address) {
	if (address.is_loopback()) {
		return true;
	}
	if (address.is_v4()) {
		return in_fib_trie(procfs.path_of(pid, "net/fib_trie"), address.ip_text());
	}
	return in_if_inet6(procfs.path_of(pid, "net/if_inet6"), address);
}

} // namespace loopsnoop::process
