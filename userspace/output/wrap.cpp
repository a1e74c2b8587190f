// SPDX-License-Identifier: Apache-2.0
#include "output/wrap.h"

#include <algorithm>

#include "base/columns.h"
#include "base/utf8.h"

namespace loopsnoop::output {

namespace {

constexpr std::size_t narrowest = 40;
constexpr std::size_t deepest_indent = 24;
constexpr std::string_view escape = "\x1b[";

// Bytes of the escape sequence or the character that the text begins with, and the columns it takes.
struct Unit {
	std::size_t bytes = 1;
	std::size_t columns = 1;
};
Unit first_unit(std::string_view text) {
	if (text.starts_with(escape)) {
		const std::size_t end = text.find('m');
		return {end == std::string_view::npos ? text.size() : end + 1, 0};
	}
	const std::size_t bytes = utf8::first_character(text).bytes;
	return {bytes, columns_of(text.substr(0, bytes))};
}

std::size_t visible_columns(std::string_view text) {
	std::size_t columns = 0;
	while (!text.empty()) {
		const Unit unit = first_unit(text);
		columns += unit.columns;
		text.remove_prefix(unit.bytes);
	}
	return columns;
}

std::size_t indent_of(std::string_view line) {
	std::size_t indent = 0;
	while (!line.empty() && (line.front() == ' ' || line.starts_with(escape))) {
		const Unit unit = first_unit(line);
		indent += unit.columns;
		line.remove_prefix(unit.bytes);
	}
	return indent;
}

void wrap(std::string &out, std::string_view line, std::size_t columns) {
	const std::string indent(std::min(indent_of(line) + 4, deepest_indent), ' ');
	std::size_t at = 0;    // columns of the line that is being made
	std::size_t least = 0; // of them its indent: nothing has been put behind it yet
	bool first = true;
	while (!line.empty()) {
		std::size_t blanks = 0;
		while (blanks < line.size() && line[blanks] == ' ') {
			blanks++;
		}
		std::size_t end = blanks;
		while (end < line.size() && line[end] != ' ') {
			end += first_unit(line.substr(end)).bytes;
		}
		std::string_view word = line.substr(blanks, end - blanks);
		const std::size_t width = visible_columns(word);
		if (at + blanks + width > columns && at > least && !first) {
			out += '\n' + indent;
			at = least = indent.size();
		} else {
			out.append(blanks, ' ');
			at += blanks;
		}
		while (!word.empty()) {
			const Unit unit = first_unit(word);
			if (at + unit.columns > columns) {
				out += '\n' + indent;
				at = least = indent.size();
			}
			out.append(word.substr(0, unit.bytes));
			at += unit.columns;
			word.remove_prefix(unit.bytes);
		}
		first = false;
		line.remove_prefix(end);
	}
}

} // namespace

std::string wrap_lines(std::string_view lines, std::size_t columns) {
	if (columns < narrowest) {
		return std::string(lines);
	}
	std::string out;
	while (!lines.empty()) {
		const std::size_t end = std::min(lines.find('\n'), lines.size());
		const std::string_view line = lines.substr(0, end);
		if (visible_columns(line) <= columns) {
			out += line;
		} else {
			wrap(out, line, columns);
		}
		out += end < lines.size() ? "\n" : "";
		lines.remove_prefix(std::min(end + 1, lines.size()));
	}
	return out;
}

} // namespace loopsnoop::output
