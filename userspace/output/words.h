// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/stall.h"

namespace loopsnoop::output {

// Values in words for people. Every string of the target in them is printable().

[[nodiscard]] std::string words_for(const Resource &resource);
// What a thread does in a call, on a resource: "poll() on tcp 127.0.0.1:5432", "wait4() for child git (pid 4900)"; empty when
// neither is known.
[[nodiscard]] std::string call_words(const std::optional<std::string> &syscall, const std::optional<Resource> &resource);
[[nodiscard]] std::string words_for(const SourceFrame &frame);      // "audit_middleware (/srv/app/audit.py:57)"
[[nodiscard]] std::string_view name_of_file(std::string_view path); // after the last slash
[[nodiscard]] std::string place_of(const SourceFrame &frame);       // "/srv/app/audit.py:57"
[[nodiscard]] std::string words_for(const NativeFrame &frame);      // "pqWait", "libpq.so.5+0x46"
[[nodiscard]] std::string words_for(const Breakdown &breakdown);    // "socket 301 ms ×3, cpu 12 ms", most first
[[nodiscard]] std::string range_words(std::uint64_t least_ns, std::uint64_t most_ns); // "50–320 ms"
[[nodiscard]] std::string thousands(std::uint64_t number);                            // "1,234"
[[nodiscard]] std::string percent(std::uint64_t part, std::uint64_t all);             // "5.7 %"; "-" of nothing
[[nodiscard]] std::string plural(std::uint64_t number, std::string_view noun);        // "1 stall", "1,234 stalls"

// What a stall says in its headline: its summary, or, where it has none, the same from its other fields. Tells the duration and
// the culprit's line in any case.
[[nodiscard]] std::string headline(const Stall &stall);

// The wait that a stall's cause is about: the longest one of that cause, else the longest; nullptr without waits.
[[nodiscard]] const Wait *main_wait(const Stall &stall);

// Where in the application: the culprit, else the innermost function known; empty when nothing is.
[[nodiscard]] std::string where(const Stall &stall);

} // namespace loopsnoop::output
