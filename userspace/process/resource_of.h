// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/descriptor.h"
#include "model/resource.h"

namespace loopsnoop::process {

// "tcp" "tcp6" "udp" "udp6" "unix" "netlink" …; "family_NN" for one without a name here, "unknown" when family is 0.
[[nodiscard]] std::string protocol_name(std::uint16_t family, std::uint16_t type, std::uint16_t protocol);
// "ESTABLISHED" …, for people who know netstat; nullopt: not such a state.
[[nodiscard]] std::optional<std::string_view> socket_state_name(std::uint8_t state);

// What the snapshot is of. The peer is left empty: PeerFinder knows it. A path keeps the kernel's " (deleted)".
[[nodiscard]] Resource to_resource(const DescriptorSnapshot &snapshot);

} // namespace loopsnoop::process
