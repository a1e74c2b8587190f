// SPDX-License-Identifier: Apache-2.0
#include "output/stack_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "arch/cpu.h"
#include "base/columns.h"
#include "base/escape.h"
#include "model/application.h"
#include "summary/number.h"
#include "summary/place.h"

namespace loopsnoop::output {

namespace {

constexpr std::size_t widest_function = 40; // the column of places; longer names push theirs to the right
constexpr std::size_t shortest_folded = 2;  // a run shorter than this is shown, folding it saves nothing
constexpr std::size_t max_on_a_line = 6;    // native frames of a line
constexpr std::size_t max_kernel = 4;       // kernel frames of a line
constexpr std::size_t max_unmarked = 8;     // frames shown of a stack without any of the application's
constexpr std::size_t max_own = 40;         // frames of the application in a row
constexpr std::size_t max_frames = 400;     // of a hostile or endlessly recursive stack, in verbose output

// One frame of any language, ready to be shown.
struct Row {
	std::string function;
	std::string place;
	bool own = false;
};

Row row_of(const SourceFrame &frame, bool own) { return {printable(frame.function), summary::format_place(frame), own}; }

Row row_of(const NativeFrame &frame, bool every_frame) {
	Row row{frame.function ? printable(*frame.function) : fmt::format("{:#x}", frame.offset), {}, is_application_frame(frame)};
	if (frame.module) {
		row.place = printable(*frame.module, shown_path_bytes);
	}
	if (frame.file) {
		row.place = summary::format_place(SourceFrame{{}, *frame.file, frame.line});
	} else if (frame.module && (every_frame || !frame.function)) {
		row.place += fmt::format("+{:#x}", frame.offset);
	}
	return row;
}

// Which frames are shown and which are only counted.
struct Piece {
	std::size_t begin = 0;
	std::size_t end = 0;
	bool folded = false;
};

// A run of library frames among the application's. Where the run is the innermost, the call that the application made and the
// innermost frame show what it is about.
void add_library_run(std::vector<Piece> &pieces, std::size_t begin, std::size_t end) {
	const std::size_t from = begin == 0 ? 1 : begin;
	const std::size_t to = begin == 0 ? std::max(from, end - 1) : end;
	if (to - from < shortest_folded) {
		pieces.push_back({begin, end, false});
		return;
	}
	pieces.push_back({begin, from, false});
	pieces.push_back({from, to, true});
	pieces.push_back({to, end, false});
}

std::vector<Piece> pieces_of(const std::vector<Row> &rows, bool every_frame) {
	const bool any_own = std::any_of(rows.begin(), rows.end(), [](const Row &row) { return row.own; });
	if (every_frame || !any_own) {
		const std::size_t shown = std::min(rows.size(), every_frame ? max_frames : max_unmarked);
		return {{0, shown, false}, {shown, rows.size(), true}};
	}
	std::vector<Piece> pieces;
	for (std::size_t begin = 0; begin < rows.size();) {
		std::size_t end = begin + 1;
		while (end < rows.size() && rows[end].own == rows[begin].own) {
			end++;
		}
		if (rows[begin].own && end - begin > max_own) { // endless recursion
			pieces.push_back({begin, begin + max_own, false});
			pieces.push_back({begin + max_own, end, true});
		} else if (rows[begin].own) {
			pieces.push_back({begin, end, false});
		} else {
			add_library_run(pieces, begin, end);
		}
		begin = end;
	}
	return pieces;
}

std::string lines_of(const std::vector<Row> &rows, const StackStyle &style) {
	const std::vector<Piece> pieces = pieces_of(rows, style.every_frame);
	std::size_t width = 0;
	for (const Piece &piece : pieces) {
		for (std::size_t i = piece.begin; i < piece.end && !piece.folded; i++) {
			width = std::max(width, std::min(columns_of(rows[i].function), widest_function));
		}
	}
	std::string out;
	for (const Piece &piece : pieces) {
		if (piece.folded && piece.begin < piece.end) {
			const std::string_view noun = rows[piece.begin].own ? "more frame" : "library frame";
			out.append(style.indent)
			    .append(style.palette.faint(fmt::format("  … {}", summary::plural(piece.end - piece.begin, noun))))
			    .append("\n");
		}
		for (std::size_t i = piece.begin; i < piece.end && !piece.folded; i++) {
			std::string text = rows[i].function;
			if (!rows[i].place.empty()) {
				text.append(std::max(width, columns_of(text)) - columns_of(text) + 2, ' ');
				text += rows[i].place;
			}
			out.append(style.indent)
			    .append(rows[i].own ? style.palette.strong("> " + text) : style.palette.faint("  " + text))
			    .append("\n");
		}
	}
	return out;
}

std::string source_lines(const std::vector<SourceFrame> &frames, const StackStyle &style) {
	const SourceFrame *culprit = innermost_application_frame(frames);
	std::vector<Row> rows;
	rows.reserve(frames.size());
	for (const SourceFrame &frame : frames) {
		rows.push_back(row_of(frame, is_application_frame(frame) || &frame == culprit));
	}
	return lines_of(rows, style);
}

std::string native_rows(const std::vector<NativeFrame> &frames, const StackStyle &style) {
	std::vector<Row> rows;
	rows.reserve(frames.size());
	for (const NativeFrame &frame : frames) {
		rows.push_back(row_of(frame, style.every_frame));
	}
	return lines_of(rows, style);
}

// Where there is Python, native frames matter down to the interpreter's loop: what a C extension or libc was doing. Neighbours
// of one module name it once.
std::string native_line(const std::vector<NativeFrame> &frames) {
	std::string text;
	std::size_t shown = 0;
	for (std::size_t i = 0; i < frames.size(); i++) {
		const NativeFrame &frame = frames[i];
		const bool eval_loop = frame.function && frame.function->find("PyEval_") != std::string::npos;
		if (shown == max_on_a_line || (eval_loop && shown > 0)) {
			return text + " < …";
		}
		text += (shown == 0 ? "" : " < ") + summary::format_frame(frame);
		shown++;
		const bool ends_here = is_interpreter_frame(frame) && i + 1 < frames.size();
		const bool same_module_next =
		    !ends_here && shown < max_on_a_line && i + 1 < frames.size() && frames[i + 1].module == frame.module;
		if (frame.function && frame.module && !same_module_next) {
			text += fmt::format(" ({})", printable(summary::file_name_of(*frame.module)));
		}
		if (ends_here) {
			return text + " < …";
		}
	}
	return text;
}

// How the kernel sleeps, and how system calls enter it, is the same everywhere; what it sleeps for is in between.
bool says_nothing(std::string_view function) {
	static constexpr std::array<std::string_view, 5> names{"schedule", "__schedule", "io_schedule", "__traceiter_", "bpf_"};
	const auto begins_it = [&](std::string_view name) { return function.starts_with(name); };
	return std::ranges::any_of(names, begins_it) || std::ranges::any_of(arch::entry_prefixes, begins_it);
}

std::string_view without_clone_suffix(std::string_view function) { // "f.constprop.0", "f.isra.0", "f.part.0": f
	const std::size_t dot = function.find('.', 1);
	return function.substr(0, dot);
}

std::string kernel_line(const std::vector<KernelFrame> &frames, bool every_frame) {
	std::vector<std::string> names;
	for (const KernelFrame &frame : frames) {
		if (names.size() == (every_frame ? max_frames : max_kernel)) {
			names.emplace_back("…");
			break;
		}
		if (!frame.function) {
			names.push_back(fmt::format("{:#x}", frame.offset));
		} else if (every_frame) {
			names.push_back(printable(*frame.function));
		} else if (!says_nothing(*frame.function)) {
			names.push_back(printable(without_clone_suffix(*frame.function)));
		}
	}
	return names.empty() ? std::string("schedule") : fmt::format("{}", fmt::join(names, " < "));
}

} // namespace

std::string stack_lines(const Stack &stack, const StackStyle &style) {
	std::string out = source_lines(stack.python, style) + source_lines(stack.javascript, style);
	const auto line = [&](std::string_view name, const std::string &text) {
		out.append(style.indent);
		out += style.palette.faint(fmt::format("  {}: {}", name, text)) + '\n';
	};
	if (!stack.native.empty()) {
		if (out.empty() || style.every_frame) {
			out += native_rows(stack.native, style);
		} else {
			line("native", native_line(stack.native));
		}
	}
	if (stack.native_truncated && style.every_frame) {
		line("native", "the frames further out could not be found");
	}
	if (!stack.kernel.empty()) {
		line("kernel", kernel_line(stack.kernel, style.every_frame));
	}
	return out;
}

} // namespace loopsnoop::output
