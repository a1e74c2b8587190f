// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>

namespace loopsnoop::process {

// The whole text must be the number: no sign, no prefix, no rest; nullopt also when it does not fit T.
template <std::integral T> [[nodiscard]] std::optional<T> parse_number(std::string_view text, int base = 10) {
	T value{};
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
	if (error != std::errc{} || end != text.data() + text.size()) {
		return std::nullopt;
	}
	return value;
}

// Takes the words of one line, parted by blanks and tabs; an empty word when there are no more.
class Words {
public:
	explicit Words(std::string_view line) : rest_(line) {}

	[[nodiscard]] std::string_view next() {
		const std::size_t begin = rest_.find_first_not_of(" \t");
		if (begin == std::string_view::npos) {
			rest_ = {};
			return {};
		}
		rest_.remove_prefix(begin);
		const std::size_t length = rest_.find_first_of(" \t");
		const std::string_view word = rest_.substr(0, length);
		rest_.remove_prefix(word.size());
		return word;
	}
	[[nodiscard]] std::string_view skip_and_next(int skipped) {
		for (; skipped > 0; --skipped) {
			static_cast<void>(next());
		}
		return next();
	}
	// What follows the last word taken, with the blanks before it.
	[[nodiscard]] std::string_view rest() const { return rest_; }

private:
	std::string_view rest_;
};

// Cuts the first line, without its newline, off the front of `text`; nullopt when `text` is empty.
[[nodiscard]] inline std::optional<std::string_view> take_line(std::string_view &text) {
	if (text.empty()) {
		return std::nullopt;
	}
	const std::size_t end = text.find('\n');
	const std::string_view line = text.substr(0, end);
	text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
	return line;
}

// "socket:[4711]" with prefix "socket:[" gives 4711.
template <std::integral T> [[nodiscard]] std::optional<T> number_in_brackets(std::string_view text, std::string_view prefix) {
	if (!text.starts_with(prefix) || !text.ends_with(']') || text.size() <= prefix.size()) {
		return std::nullopt;
	}
	return parse_number<T>(text.substr(prefix.size(), text.size() - prefix.size() - 1));
}

} // namespace loopsnoop::process
