// SPDX-License-Identifier: Apache-2.0
#include "summary/place.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "analysis/culprit.h"
#include "base/escape.h"
#include "model/application.h"

namespace loopsnoop::summary {

namespace {

std::string at(std::string_view file, std::optional<int> line) {
	return line ? fmt::format(" at {}:{}", file_name_of(file), *line) : fmt::format(" at {}", file_name_of(file));
}

bool is_header(std::string_view file) {
	constexpr std::array<std::string_view, 8> endings{".h", ".hh", ".hpp", ".hxx", ".inl", ".ipp", ".tcc", ".inc"};
	return std::ranges::any_of(endings, [&](std::string_view ending) { return file.ends_with(ending); });
}

// Where no frame is the application's own: what Node was asked for, else the innermost one.
const NativeFrame *most_meaningful(const std::vector<NativeFrame> &frames) {
	const auto of_node = std::ranges::find_if(
	    frames, [](const NativeFrame &frame) { return frame.function && frame.function->starts_with("node::"); });
	return of_node != frames.end() ? &*of_node : frames.empty() ? nullptr : &frames.front();
}

} // namespace

std::string_view file_name_of(std::string_view path) {
	const std::size_t slash = path.rfind('/');
	return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string format_place(const SourceFrame &frame) {
	const std::string file = printable(frame.file, shown_path_bytes);
	return frame.line ? fmt::format("{}:{}", file, *frame.line) : file;
}

std::string format_frame(const SourceFrame &frame) {
	return fmt::format("{} ({})", printable(frame.function), format_place(frame));
}

std::string format_frame(const NativeFrame &frame) {
	if (frame.function) {
		return printable(*frame.function);
	}
	return fmt::format("{}{}{:#x}", frame.module ? printable(file_name_of(*frame.module)) : "", frame.module ? "+" : "",
	                   frame.offset);
}

std::string format_source(const SourceFrame &frame) {
	if (frame.file.empty()) {
		return frame.function;
	}
	return fmt::format("{} ({}{})", frame.function, frame.file, frame.line ? fmt::format(":{}", *frame.line) : "");
}

std::string format_unread(std::string_view language) { return fmt::format("{} code, which is not read", language); }

std::string format_at(const ThreadView &thread) { return thread.stack ? format_at(*thread.stack) : std::string(); }

std::string format_at(const Stack &stack) {
	for (const std::vector<SourceFrame> *frames : {&stack.python, &stack.javascript}) {
		if (const SourceFrame *frame = innermost_application_frame(*frames); frame != nullptr && !frame->file.empty()) {
			return at(frame->file, frame->line);
		}
		if (!frames->empty()) {
			return {}; // native frames under an interpreter are the interpreter's
		}
	}
	const NativeFrame *frame = innermost_application_frame(stack.native);
	if (frame == nullptr) {
		return {};
	}
	if (frame->file && !is_header(*frame->file)) {
		return at(*frame->file, frame->line);
	}
	// A line of a header is that of a small function which is called, or inlined, in many places: what calls it says more.
	const auto caller = std::ranges::find_if(
	    stack.native, [](const NativeFrame &one) { return is_application_frame(one) && one.file && !is_header(*one.file); });
	if (frame->file && caller != stack.native.end()) {
		return at(*caller->file, caller->line);
	}
	return frame->function ? fmt::format(" in {}()", *frame->function) : std::string();
}

std::string format_where(const Stall &stall) {
	if (stall.culprit) {
		return format_frame(*stall.culprit);
	}
	const Stack *stack = nullptr;
	if (const Wait *wait = analysis::main_wait(stall); wait != nullptr && wait->stack) {
		stack = &*wait->stack;
	} else if (!stall.cpu.empty()) {
		stack = &stall.cpu.front().stack;
	}
	if (stack == nullptr) {
		return {};
	}
	for (const std::vector<SourceFrame> *frames : {&stack->python, &stack->javascript}) {
		if (const SourceFrame *own = innermost_application_frame(*frames); own != nullptr) {
			return format_frame(*own);
		}
		if (!frames->empty()) {
			return format_frame(frames->front());
		}
	}
	const NativeFrame *native = innermost_application_frame(stack->native);
	if (const std::string_view language = language_not_read(stack->native); native == nullptr && !language.empty()) {
		return format_unread(language);
	}
	if (native == nullptr) {
		native = most_meaningful(stack->native);
	}
	if (native == nullptr) {
		return {};
	}
	if (native->function && native->function->starts_with("node::")) {
		std::string name = *native->function;
		constexpr std::string_view anonymous = "(anonymous namespace)::";
		if (const std::size_t at = name.find(anonymous); at != std::string::npos) {
			name.erase(at, anonymous.size());
		}
		return printable(name.substr(0, name.find('('))) + "()"; // its arguments are V8's
	}
	if (native->file) {
		return format_frame(SourceFrame{format_frame(*native), *native->file, native->line});
	}
	return native->function && native->module
	           ? fmt::format("{} ({})", format_frame(*native), printable(file_name_of(*native->module)))
	           : format_frame(*native);
}

} // namespace loopsnoop::summary
