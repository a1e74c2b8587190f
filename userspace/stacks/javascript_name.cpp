// SPDX-License-Identifier: Apache-2.0
#include "stacks/javascript_name.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace loopsnoop::stacks {
namespace {

// V8's src/logging/code-events.h: "LazyCompile" and "Function" became "JS" in V8 11; "Script" and "Eval" are top-level code.
constexpr std::array<std::string_view, 5> kinds{"JS:", "LazyCompile:", "Function:", "Script:", "Eval:"};
constexpr std::string_view tiers = "~^+*"; // interpreted, baseline, mid-tier, optimized; before the name

// Takes ":12" off the end.
std::optional<int> take_number(std::string_view &text) {
	const std::size_t colon = text.rfind(':');
	int value = 0;
	if (colon == std::string_view::npos) {
		return std::nullopt;
	}
	const std::string_view digits = text.substr(colon + 1);
	const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
	if (problem != std::errc() || end != digits.data() + digits.size() || value < 0) {
		return std::nullopt;
	}
	text.remove_suffix(text.size() - colon);
	return value;
}

// Where the script's name begins: names of functions ("get size", "bound f") and of files may hold blanks.
std::size_t script_begin(std::string_view text) {
	std::size_t begin = std::string_view::npos;
	for (const std::string_view mark : {" /", " file:", " node:", " evalmachine.", " [eval"}) {
		begin = std::min(begin, text.find(mark));
	}
	return begin != std::string_view::npos ? begin : text.rfind(' ');
}

} // namespace

std::optional<SourceFrame> javascript_frame(std::string_view name) {
	const auto *const kind =
	    std::find_if(kinds.begin(), kinds.end(), [&](std::string_view prefix) { return name.starts_with(prefix); });
	if (kind == kinds.end()) {
		return std::nullopt;
	}
	name.remove_prefix(kind->size());
	if (!name.empty() && tiers.find(name.front()) != std::string_view::npos) {
		name.remove_prefix(1);
	}
	const std::size_t blank = script_begin(name);
	if (blank == std::string_view::npos) {
		return std::nullopt;
	}
	SourceFrame frame;
	frame.function = name.substr(0, blank);
	if (frame.function.empty()) {
		frame.function = "(anonymous)";
	}
	std::string_view script = name.substr(blank + 1);
	std::string_view rest = script;
	// ":line:column", of some kinds ":line" only.
	if (const auto last = take_number(rest)) {
		script = rest;
		frame.line = last;
		if (const auto before = take_number(rest)) {
			script = rest;
			frame.line = before;
		}
	}
	constexpr std::string_view file_url = "file://";
	if (script.starts_with(file_url)) {
		script.remove_prefix(file_url.size());
	}
	if (script.empty()) {
		return std::nullopt;
	}
	frame.file = script;
	return frame;
}

} // namespace loopsnoop::stacks
