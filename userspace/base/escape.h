// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// A target's strings hold any bytes. Each function makes them fit for one place that they are shown or written in; all are linear
// in what they read, and pure.
namespace loopsnoop {

inline constexpr std::size_t shown_name_bytes = 160; // thread names, functions, states
inline constexpr std::size_t shown_path_bytes = 400; // paths, sentences

// For a terminal or a log: control and bidirectional characters as "\x1b" or "\u202e", bytes that are no UTF-8 as "\xff". Of a
// text longer than `max_bytes` the middle is left out ("…"), and no more than the rest is read.
[[nodiscard]] std::string printable(std::string_view text, std::size_t max_bytes = shown_name_bytes);

// Appends a JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD.
void append_json_string(std::string &out, std::string_view text);

// Text or attribute value of an HTML document.
[[nodiscard]] std::string html_escaped(std::string_view text);

// UTF-8 of at most `max_bytes` and a character; each byte of a control character, and each that is no UTF-8, is a "?". For places
// that know no escapes.
[[nodiscard]] std::string with_question_marks(std::string_view text, std::size_t max_bytes);

// The other way, for what the kernel has escaped: in mountinfo it writes blank, tab, newline and backslash as "\040" and so on
// (fs/proc_namespace.c, mangle). What is no such escape stays.
[[nodiscard]] std::string unescape_octal(std::string_view text);

} // namespace loopsnoop
