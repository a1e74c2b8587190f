// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>

#include "abi/records.h"
#include "model/event.h"

namespace loopsnoop::collector {

// What several records and tables have in common.
inline std::string comm(const char (&bytes)[LS_COMM_BYTES]) { return {bytes, strnlen(bytes, LS_COMM_BYTES)}; }
inline LoopKey key_of(const ls_header &header) { return {header.slot, header.generation}; }
// nullopt: not one that is known here.
[[nodiscard]] std::optional<Cause> to_cause(std::uint32_t cause);
// nullopt: in no system call.
[[nodiscard]] std::optional<long> to_syscall(std::int64_t number);
// `bytes`: the copied user stack, from the stack pointer on.
[[nodiscard]] RawStack decode_stack(const ls_wait &wait, std::span<const std::byte> bytes);
[[nodiscard]] WaitTarget decode_target(const ls_wait &wait);
// nullopt: there was none.
[[nodiscard]] std::optional<Runner> decode_runner(const ls_waker &wire, std::uint64_t ran_ns);
[[nodiscard]] Breakdown decode_account(const ls_part (&account)[LS_CAUSES]);

} // namespace loopsnoop::collector
