// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "model/stall.h"

namespace loopsnoop::summary {

// Frames and places in code. Every string of the target in these is printable().

[[nodiscard]] std::string_view file_name_of(std::string_view path); // after the last slash
[[nodiscard]] std::string format_place(const SourceFrame &frame);   // "/srv/app/audit.py:57"
[[nodiscard]] std::string format_frame(const SourceFrame &frame);   // "audit_middleware (/srv/app/audit.py:57)"
[[nodiscard]] std::string format_frame(const NativeFrame &frame);   // "pqWait", "libpq.so.5+0x46"
// Where in the application a stall is: the culprit, else the innermost function known; empty when nothing is.
[[nodiscard]] std::string format_where(const Stall &stall);

// In these they stand as they are: whoever prints them makes them printable.

// "audit_middleware (/srv/app/audit.py:57)"; without what is not known.
[[nodiscard]] std::string format_source(const SourceFrame &frame);
// In place of a line of a language whose own frames are not read (model/application.h): "Java code, which is not read".
[[nodiscard]] std::string format_unread(std::string_view language);
// " at app.py:30": the application's innermost line; empty when no frame of it is known. Of native frames the innermost that is
// not in a header.
[[nodiscard]] std::string format_at(const ThreadView &thread);
[[nodiscard]] std::string format_at(const Stack &stack);

} // namespace loopsnoop::summary
