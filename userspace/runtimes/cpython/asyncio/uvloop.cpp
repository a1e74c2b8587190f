// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/asyncio/uvloop.h"

#include <string_view>

namespace loopsnoop::runtimes::cpython::asyncio {

namespace {

// uv.h and uv/unix.h, 64-bit Linux: uv_handle_t, which all begin with; what uv_stream_t adds; uv__io_t in it; uv_loop_t.
constexpr std::uint64_t handle_loop = 8;
constexpr std::uint64_t handle_type = 16;
constexpr std::uint64_t stream_watcher = 136;
constexpr std::uint64_t watcher_fd = 48;
constexpr std::uint64_t loop_watchers = 104;
constexpr std::uint64_t loop_watchers_count = 112;

constexpr std::int32_t named_pipe = 7; // of uv_handle_type
constexpr std::int32_t tcp = 12;

// Words of a Cython object that hold what is looked for: `_handle` is the first member of a UVHandle, behind its table of
// functions; `_ssl_protocol` the second of an _SSLProtocolTransport, `_transport` the twelfth of an SSLProtocol.
constexpr std::uint64_t first_words = 8;
constexpr std::uint64_t protocol_words = 32;

template <typename Is> std::uint64_t find_word(ObjectReader &reader, std::uint64_t object, std::uint64_t words, Is is) {
	for (std::uint64_t i = 2; i < words; ++i) {
		const std::uint64_t word = reader.word(object + i * sizeof(std::uint64_t));
		if (ObjectReader::may_be_object(word) && is(word)) {
			return word;
		}
	}
	return 0;
}

std::optional<int> fd_of_handle(ObjectReader &reader, std::uint64_t handle) {
	const auto type = reader.memory().read_value<std::int32_t>(handle + handle_type);
	const auto fd = reader.memory().read_value<std::int32_t>(handle + stream_watcher + watcher_fd);
	if ((type != tcp && type != named_pipe) || !fd || *fd < 0) {
		return std::nullopt;
	}
	const std::uint64_t loop = reader.word(handle + handle_loop);
	const auto count = reader.memory().read_value<std::uint32_t>(loop + loop_watchers_count);
	const auto at = static_cast<std::uint32_t>(*fd);
	const std::uint64_t watcher = reader.word(reader.word(loop + loop_watchers) + at * sizeof(std::uint64_t));
	return count && at < *count && watcher == handle + stream_watcher ? fd : std::nullopt;
}

} // namespace

std::optional<int> uvloop_descriptor(ObjectReader &reader, std::uint64_t transport) {
	const auto is_stream = [&](std::uint64_t object) { return reader.is_a(object, "uvloop.loop.UVStream"); };
	constexpr int max_layers = 3; // TLS in TLS
	for (int i = 0; i < max_layers && !is_stream(transport); ++i) {
		if (reader.type_name(transport) != "uvloop.loop._SSLProtocolTransport") {
			return std::nullopt;
		}
		const std::uint64_t protocol = find_word(reader, transport, first_words, [&](std::uint64_t object) {
			return reader.type_name(object) == "uvloop.loop.SSLProtocol";
		});
		transport = find_word(reader, protocol, protocol_words, [&](std::uint64_t object) {
			return object != transport && (is_stream(object) || reader.type_name(object) == "uvloop.loop._SSLProtocolTransport");
		});
	}
	if (!is_stream(transport)) {
		return std::nullopt;
	}
	const std::uint64_t handle =
	    find_word(reader, transport, first_words, [&](std::uint64_t word) { return reader.word(word) == transport; });
	return handle != 0 ? fd_of_handle(reader, handle) : std::nullopt;
}

} // namespace loopsnoop::runtimes::cpython::asyncio
