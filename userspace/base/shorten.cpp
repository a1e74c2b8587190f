// SPDX-License-Identifier: Apache-2.0
#include "base/shorten.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "base/columns.h"
#include "base/utf8.h"

namespace loopsnoop {

namespace {

constexpr std::string_view dots = "…";
constexpr std::size_t worth_it = 6; // bytes between brackets; what is shorter stays

struct Span {
	std::size_t begin = 0;
	std::size_t end = 0;
	[[nodiscard]] std::size_t size() const { return end - begin; }
};

// What stands between the brackets of names, the outermost ones: after a letter, a digit or a bracket, or, of Rust, "<" before
// one.
// "(pid 7)" is no parameter list: a blank is before it.
std::vector<Span> bracketed(std::string_view text) {
	std::vector<Span> spans;
	for (std::size_t i = 0; i < text.size(); i++) {
		const char open = text[i];
		const char before = i > 0 ? text[i - 1] : ' ';
		const char after = i + 1 < text.size() ? text[i + 1] : ' ';
		const bool follows_name = (std::isalnum(static_cast<unsigned char>(before)) != 0) || before == '_' || before == '>' ||
		                          before == ']' || before == ')';
		if (!(open == '(' && follows_name) && !(open == '<' && after != ' ' && after != '=' && after != '<' && before != '<')) {
			continue;
		}
		const char close = open == '(' ? ')' : '>';
		std::size_t depth = 0;
		for (std::size_t j = i; j < text.size(); j++) {
			const bool arrow = text[j] == '>' && text[j - 1] == '-'; // "->", of Rust's and C++'s function types
			depth += text[j] == open ? 1 : 0;
			depth -= text[j] == close && !arrow ? 1 : 0;
			if (depth == 0) {
				spans.push_back({i + 1, j});
				i = j;
				break;
			}
		}
	}
	return spans;
}

std::string without_longest_brackets(std::string text, std::size_t columns) {
	while (columns_of(text) > columns) {
		const std::vector<Span> spans = bracketed(text);
		const auto longest = std::ranges::max_element(spans, {}, &Span::size);
		if (longest == spans.end() || longest->size() < worth_it) {
			break;
		}
		text.replace(longest->begin, longest->size(), dots);
	}
	return text;
}

// "/srv/shop/pkg/api/orders.py:47" is "…/api/orders.py:47": who reads it knows the file by its end. The longest first.
std::string with_short_paths(std::string text, std::size_t columns) {
	constexpr int kept = 2; // components
	while (columns_of(text) > columns) {
		Span longest; // what is left out of one
		for (std::size_t begin = text.find('/'); begin != std::string::npos;) {
			const std::size_t end = std::min(text.find_first_of(" ,;()", begin), text.size());
			std::size_t last = end;
			for (int i = 0; i < kept && last != std::string::npos && last > begin; i++) {
				last = text.rfind('/', last - 1);
			}
			if (last != std::string::npos && last > begin && last - begin > longest.size()) {
				longest = {begin, last};
			}
			begin = text.find('/', end);
		}
		if (longest.size() < worth_it) {
			break;
		}
		text.replace(longest.begin, longest.size(), dots);
	}
	return text;
}

std::string without_long_words(std::string text, std::size_t columns) {
	constexpr std::size_t longest_word = 48;
	while (columns_of(text) > columns) {
		Span longest;
		for (std::size_t begin = 0; begin < text.size();) {
			const std::size_t end = std::min(text.find(' ', begin), text.size());
			longest = end - begin > longest.size() ? Span{begin, end} : longest;
			begin = end + 1;
		}
		if (longest.size() == 0 || columns_of(std::string_view(text).substr(longest.begin, longest.size())) <= longest_word) {
			break;
		}
		const std::string shorter = cut_middle(std::string_view(text).substr(longest.begin, longest.size()), longest_word);
		text.replace(longest.begin, longest.size(), shorter);
	}
	return text;
}

std::string with_short_names(std::string_view sentence, std::size_t columns) {
	return with_short_paths(without_longest_brackets(std::string(sentence), columns), columns);
}

struct Ends {
	std::string_view head;
	std::string_view tail;
};

// The two ends of a text of more columns than that, which take at most so many.
Ends ends_of(std::string_view text, std::size_t columns) {
	const std::size_t first = columns / 2;
	const std::size_t last = columns - first;
	std::string_view tail = text;
	for (std::size_t left = columns_of(text); left > last && !tail.empty();) {
		const std::string_view one = tail.substr(0, utf8::first_character(tail).bytes);
		left -= std::min(left, columns_of(one));
		tail.remove_prefix(one.size());
	}
	return {cut_to_columns(text, first), tail};
}

// Without the words in the middle. Words so long that little would be left are cut themselves.
std::string without_middle_words(const std::string &text, std::size_t columns) {
	constexpr std::size_t longest_loss = 30; // bytes on each side of the cut
	if (columns_of(text) <= columns) {
		return text;
	}
	const Ends ends = ends_of(text, columns - 3); // " … "
	const std::size_t blank_before = ends.head.rfind(' ');
	const std::size_t blank_after = ends.tail.find(' ');
	if (blank_before == std::string_view::npos || ends.head.size() - blank_before > longest_loss || blank_after > longest_loss) {
		return cut_middle(text, columns);
	}
	return fmt::format("{} {} {}", ends.head.substr(0, blank_before), dots, ends.tail.substr(blank_after + 1));
}

} // namespace

std::string cut_middle(std::string_view text, std::size_t columns) {
	if (columns_of(text) <= columns || columns < 4) {
		return std::string(text);
	}
	const Ends ends = ends_of(text, columns - 1);
	return fmt::format("{}{}{}", ends.head, dots, ends.tail);
}

bool fits_with_short_names(std::string_view sentence, std::size_t columns) {
	return columns_of(sentence) <= columns || columns_of(with_short_names(sentence, columns)) <= columns;
}

std::string shorten(std::string_view sentence, std::size_t columns) {
	if (columns_of(sentence) <= columns) {
		return std::string(sentence);
	}
	return without_middle_words(without_long_words(with_short_names(sentence, columns), columns), columns);
}

} // namespace loopsnoop
