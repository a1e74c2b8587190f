// SPDX-License-Identifier: Apache-2.0
#include "process/socket_table.h"

#include <algorithm>

#include "process/pseudo_file.h"
#include "process/text.h"

namespace loopsnoop::process {

// "  0: LOCAL REMOTE ST TX:RX TR:WHEN RETR UID TIMEOUT INODE …" (net/ipv4/tcp_ipv4.c get_tcp4_sock and its like).
std::optional<InetEntry> parse_inet_line(std::string_view line) {
	Words words(line);
	const auto local = parse_hex_address(words.skip_and_next(1));
	const auto remote = parse_hex_address(words.next());
	const auto state = parse_number<std::uint8_t>(words.next(), 16);
	const std::string_view queues = words.next();
	const auto receive_queue = parse_number<std::uint64_t>(queues.substr(std::min(queues.find(':'), queues.size() - 1) + 1), 16);
	const auto inode = parse_number<std::uint64_t>(words.skip_and_next(4));
	if (!local || !remote || !state || !inode) {
		return std::nullopt;
	}
	return InetEntry{*local, *remote, *state, *inode, receive_queue.value_or(0)};
}

// "ADDRESS: REFCOUNT PROTOCOL FLAGS TYPE ST INODE PATH" (net/unix/af_unix.c, unix_seq_show): ST is of enum socket_state.
std::optional<UnixEntry> parse_unix_line(std::string_view line) {
	constexpr std::uint32_t accepts_connections = 1U << 16; // __SO_ACCEPTCON
	constexpr std::uint8_t connecting = 2;                  // SS_CONNECTING
	constexpr std::uint8_t connected = 3;                   // SS_CONNECTED
	Words words(line);
	const auto flags = parse_number<std::uint32_t>(words.skip_and_next(3), 16);
	const auto type = parse_number<std::uint16_t>(words.next(), 16);
	const auto state = parse_number<std::uint8_t>(words.next(), 16);
	const auto inode = parse_number<std::uint64_t>(words.next());
	if (!flags || !type || !state || !inode) {
		return std::nullopt;
	}
	UnixEntry entry;
	entry.type = *type;
	entry.listening = (*flags & accepts_connections) != 0;
	entry.state = entry.listening        ? state_listen
	              : *state == connected  ? state_established
	              : *state == connecting ? state_syn_sent
	                                     : state_close;
	entry.inode = *inode;
	std::string_view path = words.rest();
	if (path.starts_with(' ')) {
		path.remove_prefix(1); // one blank parts them; more belong to the name
	}
	entry.path = path;
	return entry;
}

bool each_inet_socket(const std::string &table_path, const std::function<bool(const InetEntry &)> &entry) {
	return each_line(table_path, [&](std::string_view line) {
		const auto parsed = parse_inet_line(line);
		return !parsed || entry(*parsed);
	});
}

bool each_unix_socket(const std::string &table_path, const std::function<bool(const UnixEntry &)> &entry) {
	return each_line(table_path, [&](std::string_view line) {
		const auto parsed = parse_unix_line(line);
		return !parsed || entry(*parsed);
	});
}

} // namespace loopsnoop::process
