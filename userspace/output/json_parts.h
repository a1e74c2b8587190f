// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/session.h"
#include "output/json_arena.h"

namespace loopsnoop::output {

// Model values to JSON values, keys in the contract's order. Strings are passed as they are: `dump_line` makes them UTF-8.
// Short-lived, of one thread: see JsonArena.
using Json = nlohmann::basic_json<nlohmann::ordered_map, std::vector, std::string, bool, std::int64_t, std::uint64_t, double,
                                  JsonAllocator>;

[[nodiscard]] Json to_json(const Listener &listener);
[[nodiscard]] Json to_json(const ProcessLife &life);
[[nodiscard]] Json to_json(const Restarts &restarts);
[[nodiscard]] Json to_json(const Peer &peer);
[[nodiscard]] Json to_json(const Holder &holder);
[[nodiscard]] Json to_json(const SourceFrame &frame);
[[nodiscard]] Json to_json(const NativeFrame &frame);
[[nodiscard]] Json to_json(const KernelFrame &frame);
[[nodiscard]] Json to_json(const Stack &stack);
[[nodiscard]] Json to_json(const Resource &resource);
[[nodiscard]] Json to_json(const Breakdown &breakdown);
[[nodiscard]] Json to_json(const Waker &waker);
[[nodiscard]] Json to_json(const Wait &wait);
[[nodiscard]] Json to_json(const CpuPart &part);
[[nodiscard]] Json to_json(const GilHolding &holder);
[[nodiscard]] Json to_json(const GilStory &gil);
[[nodiscard]] Json to_json(const ThreadView &thread);
[[nodiscard]] Json to_json(const Stall &stall);

[[nodiscard]] std::string dump_line(const Json &json);

template <typename T> [[nodiscard]] Json or_null(const std::optional<T> &value) {
	if (!value) {
		return nullptr;
	}
	if constexpr (std::is_constructible_v<Json, T> && (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>)) {
		return *value;
	} else {
		return to_json(*value);
	}
}

} // namespace loopsnoop::output
