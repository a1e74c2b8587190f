// SPDX-License-Identifier: Apache-2.0
#include "base/escape.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <system_error>

#include "base/utf8.h"

namespace loopsnoop {

namespace {

bool is_control(std::uint32_t code) { return code < 0x20 || (code >= 0x7f && code <= 0x9f); }

// Would change the screen rather than show on it: controls, line and paragraph separators, bidirectional and zero-width marks.
bool drives_the_terminal(std::uint32_t code) {
	return is_control(code) || code == 0x061c || (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
}

std::string without_controls(std::string_view text) {
	std::string out;
	out.reserve(text.size());
	while (!text.empty()) {
		const utf8::Character next = utf8::first_character(text);
		if (!next.valid) {
			for (const char byte : text.substr(0, next.bytes)) {
				out += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(byte));
			}
		} else if (next.code < 0x20 || next.code == 0x7f) {
			out += fmt::format("\\x{:02x}", next.code);
		} else if (drives_the_terminal(next.code)) {
			out += fmt::format("\\u{:04x}", next.code);
		} else {
			out += text.substr(0, next.bytes);
		}
		text.remove_prefix(next.bytes);
	}
	return out;
}

// Neither needs an escape in JSON nor is part of a longer character: nearly everything.
bool stands_as_it_is(char c) { return c >= 0x20 && c != '"' && c != '\\'; }

void append_json_character(std::string &out, std::string_view text, const utf8::Character &character) {
	if (!character.valid) {
		utf8::append(out, 0xfffd);
		return;
	}
	switch (character.code) {
	case '"': out += "\\\""; return;
	case '\\': out += "\\\\"; return;
	case '\b': out += "\\b"; return;
	case '\f': out += "\\f"; return;
	case '\n': out += "\\n"; return;
	case '\r': out += "\\r"; return;
	case '\t': out += "\\t"; return;
	default: break;
	}
	if (character.code < 0x20) {
		fmt::format_to(std::back_inserter(out), "\\u{:04x}", character.code);
	} else {
		out += text.substr(0, character.bytes);
	}
}

} // namespace

std::string printable(std::string_view text, std::size_t max_bytes) {
	if (text.size() <= max_bytes) {
		return without_controls(text);
	}
	// Cut between characters, or the halves of one would be shown as bytes.
	const std::size_t head = utf8::cut_before(text, max_bytes / 2);
	std::size_t tail = text.size() - (max_bytes - max_bytes / 2);
	for (int i = 0; i < 3 && tail < text.size() && utf8::continues(text[tail]); i++) {
		tail++;
	}
	return without_controls(text.substr(0, head)) + "…" + without_controls(text.substr(tail));
}

void append_json_string(std::string &out, std::string_view text) {
	out += '"';
	while (!text.empty()) {
		const auto *const special = std::find_if_not(text.begin(), text.end(), stands_as_it_is);
		const auto plain = static_cast<std::size_t>(special - text.begin());
		out += text.substr(0, plain);
		text.remove_prefix(plain);
		if (!text.empty()) {
			const utf8::Character next = utf8::first_character(text);
			append_json_character(out, text, next);
			text.remove_prefix(next.bytes);
		}
	}
	out += '"';
}

std::string html_escaped(std::string_view text) {
	std::string out;
	out.reserve(text.size());
	for (const char c : text) {
		switch (c) {
		case '&': out += "&amp;"; break;
		case '<': out += "&lt;"; break;
		case '>': out += "&gt;"; break;
		case '"': out += "&quot;"; break;
		case '\'': out += "&#39;"; break;
		default: out += c;
		}
	}
	return out;
}

std::string with_question_marks(std::string_view text, std::size_t max_bytes) {
	std::string out;
	while (!text.empty() && out.size() < max_bytes) {
		const utf8::Character next = utf8::first_character(text);
		if (next.valid && !is_control(next.code)) {
			out += text.substr(0, next.bytes);
		} else {
			out.append(next.bytes, '?');
		}
		text.remove_prefix(next.bytes);
	}
	return out;
}

std::string unescape_octal(std::string_view text) {
	constexpr std::size_t digits = 3;
	constexpr int base = 8;
	std::string out;
	out.reserve(text.size());
	while (!text.empty()) {
		const char first = text.front();
		text.remove_prefix(1);
		std::uint8_t code = 0;
		const char *const end = text.data() + std::min(text.size(), digits);
		const auto read = std::from_chars(text.data(), end, code, base);
		if (first == '\\' && read.ec == std::errc() && read.ptr == text.data() + digits) {
			out += static_cast<char>(code);
			text.remove_prefix(digits);
		} else {
			out += first;
		}
	}
	return out;
}

} // namespace loopsnoop
