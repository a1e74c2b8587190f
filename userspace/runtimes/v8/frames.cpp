// SPDX-License-Identifier: Apache-2.0
#include "runtimes/v8/frames.h"

#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "runtimes/mapped_file.h"
#include "runtimes/v8/heap.h"

namespace loopsnoop::runtimes::v8 {

namespace {

constexpr std::uint32_t max_name = 500;
constexpr std::uint32_t max_path = 4096;
// Objects that have moved make room for others at their addresses.
constexpr std::uint64_t believed_ns = 2'000'000'000;
constexpr std::size_t max_known = 4096;
// ScopeInfo keeps the names of so many locals in itself, otherwise one pointer to a table (kScopeInfoMaxInlinedLocalNamesSize).
constexpr std::int32_t max_inlined = 75;
constexpr std::int32_t scope_tail = 12; // words after the locals, that may hold the name and the position

struct Scope {
	std::string name;
	std::optional<std::uint32_t> start; // position in the source
};

// V8's src/objects/scope-info.tq: flags, numbers, names and infos of the locals, then, each only where there is one: a Smi of a
// class, the function's name and the slot of its variable, the inferred name, start and end in the source, the outer scope.
// The flags say which are there, in bits that move from version to version; so do the order and the types.
std::optional<Scope> read_scope(const Heap &heap, const Layout &layout, std::uint64_t scope) {
	constexpr std::int32_t word_bytes = 8;
	constexpr std::int32_t after_map = word_bytes;
	const auto at = [&](std::int32_t index) { return heap.word(scope, after_map + index * word_bytes); };
	const auto locals_word = at(layout.scope_locals);
	const auto locals = locals_word ? Heap::small(*locals_word) : std::nullopt;
	if (!locals || *locals < 0 || *locals > 1 << 16) {
		return std::nullopt;
	}
	Scope found;
	std::int32_t first = layout.scope_first;
	const auto position = [&](std::int32_t index) {
		const auto start = at(index);
		const auto end = at(index + 1);
		const auto from = start ? Heap::small(*start) : std::nullopt;
		const auto to = end ? Heap::small(*end) : std::nullopt;
		return from && to && *from >= 0 && *from < *to ? std::optional(static_cast<std::uint32_t>(*from)) : std::nullopt;
	};
	if (first == layout.scope_locals + 3) {
		found.start = position(layout.scope_locals + 1); // V8 since 12: before the locals, always there
	}
	first += *locals < max_inlined ? 2 * *locals : 1 + *locals;
	for (std::int32_t i = 0; i < scope_tail; i++) {
		const auto word = at(first + i);
		if (!word) {
			break;
		}
		if (!Heap::is_pointer(*word)) {
			continue;
		}
		const bool ended = found.start.has_value();
		if (!ended && i >= 2) {
			found.start = position(first + i - 2);
		}
		if (found.name.empty() && heap.is_string(*word)) {
			found.name = heap.text(*word, max_name).value_or("");
		}
		if (heap.is(*word, layout.scope_type) || (!ended && found.start)) {
			break; // the outer scope: nothing after it is of this function
		}
	}
	if (found.start == 0U) {
		found.name.clear(); // a script's or module's own code: what strings are there are names of other things
	}
	return found;
}

} // namespace

std::optional<Frames> Frames::find(const process::ProcFs &proc, std::uint32_t pid) {
	auto memory = std::make_unique<process::TargetMemory>(pid);
	std::optional<Layout> layout;
	any_runtime_file(proc, pid, is_libnode, [&](const elf::Image &image, std::uint64_t bias, std::string_view) {
		layout = read_layout(image, bias, *memory);
		return layout ? FileHas::runtime : FileHas::nothing_yet;
	});
	return layout ? std::optional(Frames(*layout, std::move(memory))) : std::nullopt;
}

std::optional<SourceFrame> Frames::at(std::uint64_t frame_pointer, const Word &word) {
	const auto context = word(frame_pointer + static_cast<std::uint64_t>(std::int64_t{layout_.fp_context}));
	const auto function = word(frame_pointer + static_cast<std::uint64_t>(std::int64_t{layout_.fp_function}));
	return context && function && Heap::is_pointer(*context) ? name(*function) : std::nullopt;
}

std::optional<SourceFrame> Frames::name(std::uint64_t function) {
	const Heap heap(layout_, *memory_);
	const auto shared = heap.word(function, layout_.function_shared);
	if (!shared || !heap.is(*shared, layout_.shared_type)) {
		return std::nullopt;
	}
	const auto name = heap.word(*shared, layout_.shared_name);
	const auto script = heap.word(*shared, layout_.shared_script);
	if (!name || !script) {
		return std::nullopt;
	}
	const std::uint64_t now = monotonic_ns();
	if (known_.size() > max_known) {
		known_.clear();
	}
	Named &named = known_[{*shared, *name, *script}];
	if (named.since_ns == 0 || now - named.since_ns > believed_ns) {
		named = {read(*name, *script), now};
	}
	return named.frame;
}

std::optional<SourceFrame> Frames::read(std::uint64_t name, std::uint64_t script) const {
	const Heap heap(layout_, *memory_);
	if (!heap.is(script, layout_.script_type)) {
		return std::nullopt; // one of V8's own functions, which are no frames to a person
	}
	const auto path = heap.word(script, layout_.script_name);
	auto file = path ? heap.text(*path, max_path) : std::nullopt;
	if (!file || file->empty()) {
		return std::nullopt;
	}
	constexpr std::string_view file_url = "file://";
	if (file->starts_with(file_url)) {
		file->erase(0, file_url.size());
	}
	SourceFrame frame;
	frame.file = std::move(*file);
	std::optional<std::uint32_t> start;
	if (heap.is(name, layout_.scope_type)) {
		if (auto scope = read_scope(heap, layout_, name)) {
			frame.function = std::move(scope->name);
			start = scope->start;
		}
	} else if (heap.is_string(name)) {
		frame.function = heap.text(name, max_name).value_or("");
	}
	if (frame.function.empty()) {
		frame.function = "(anonymous)";
	}
	const auto source = start ? heap.word(script, layout_.script_source) : std::nullopt;
	if (const auto lines = source ? heap.lines_before(*source, *start) : std::nullopt) {
		frame.line = *lines + 1;
	}
	return frame;
}

} // namespace loopsnoop::runtimes::v8
