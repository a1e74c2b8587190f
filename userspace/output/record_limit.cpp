// SPDX-License-Identifier: Apache-2.0
#include "output/record_limit.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/utf8.h"

namespace loopsnoop::output {

namespace {

// What a record of a step may have, at most; the steps are taken until it fits.
struct Limits {
	std::size_t threads, waits, frames, text_bytes;
};
constexpr Limits whole_dump{max_dump_threads, 4096, 1024, max_text_bytes};
constexpr std::array steps{
    Limits{max_threads, 4096, 1024, max_text_bytes},
    Limits{64, 512, 128, 512},
    Limits{16, 128, 32, 256},
    Limits{4, 32, 16, 128},
    Limits{1, 8, 4, 64},
};

// Bytes that a string takes in JSON: control characters are written \u00xx, a byte that is no UTF-8 as three of U+FFFD.
std::size_t json_bytes(std::string_view text) {
	constexpr unsigned char space = 0x20;
	constexpr unsigned char ascii_end = 0x7f;
	std::size_t bytes = 2;
	for (const char c : text) {
		const auto byte = static_cast<unsigned char>(c);
		bytes += byte < space ? 6 : byte >= ascii_end ? 3 : c == '"' || c == '\\' ? 2 : 1;
	}
	return bytes;
}

// Calls `each` with every string of a stack, a resource and so on that the target chose. `T` may be const.
template <typename T, typename Each> void texts_of_frames(T &frames, Each &each) {
	for (auto &frame : frames) {
		each(frame.function);
		each(frame.file);
	}
}

template <typename S, typename Each> void texts_of_stack(S &stack, Each &each) {
	texts_of_frames(stack.python, each);
	texts_of_frames(stack.javascript, each);
	texts_of_frames(stack.native, each);
	for (auto &frame : stack.native) {
		each(frame.module);
	}
	for (auto &frame : stack.kernel) {
		each(frame.function);
	}
}

template <typename R, typename Each> void texts_of_resource(R &resource, Each &each) {
	std::visit(
	    [&](auto &is) {
		    using Kind = std::remove_cvref_t<decltype(is)>;
		    if constexpr (std::is_same_v<Kind, FileResource> || std::is_same_v<Kind, SocketResource> ||
		                  std::is_same_v<Kind, PipeResource>) {
			    each(is.path);
		    } else if constexpr (std::is_same_v<Kind, FutexResource>) {
			    each(is.type);
		    } else if constexpr (std::is_same_v<Kind, FdsResource>) {
			    for (auto &fd : is.fds) {
				    texts_of_resource(fd, each);
			    }
		    }
	    },
	    resource.is);
}

// Every stack, resource and single text of a record.
template <typename R, typename Stacks, typename Resources, typename Texts>
void visit_thread(R &thread, Stacks &stack, Resources &resource, Texts &text) {
	if (thread.stack) {
		stack(*thread.stack);
	}
	if (thread.resource) {
		resource(*thread.resource);
	}
	text(thread.thread);
}

template <typename F, typename Texts> void texts_of_frame(F &frame, Texts &text) {
	if (frame) {
		text(frame->function);
		text(frame->file);
	}
}

template <typename G, typename Stacks, typename Resources, typename Texts>
void visit_group(G &group, Stacks &stack, Resources &resource, Texts &text) {
	texts_of_frames(group.stack, text);
	texts_of_frame(group.culprit, text);
	for (auto &name : group.names) {
		text(name);
	}
	if (group.waits_for) {
		text(group.waits_for->type);
		text(group.waits_for->thread);
		for (auto &holder : group.waits_for->holders) {
			text(holder.name);
			texts_of_frame(holder.culprit, text);
		}
		if (group.waits_for->thread_stack) {
			stack(*group.waits_for->thread_stack);
		}
		if (group.waits_for->executor) {
			for (auto &at : group.waits_for->executor->places) {
				texts_of_frame(at.culprit, text);
			}
		}
		if (group.waits_for->resource) {
			resource(*group.waits_for->resource);
		}
	}
}

// The threads of a record; nullptr: it has none. `R` may be const.
template <typename R> auto *threads_of(R &record) {
	if constexpr (std::is_same_v<std::remove_const_t<R>, Dump>) {
		return &record.threads;
	} else {
		return record.threads ? &*record.threads : nullptr;
	}
}

template <typename R, typename Stacks, typename Resources, typename Texts>
void visit(R &record, Stacks stack, Resources resource, Texts text) {
	if constexpr (std::is_same_v<std::remove_const_t<R>, Stall>) {
		for (auto &wait : record.waits) {
			if (wait.stack) {
				stack(*wait.stack);
			}
			if (wait.resource) {
				resource(*wait.resource);
			}
			if (wait.waker && wait.waker->stack) {
				stack(*wait.waker->stack);
			}
		}
		for (auto &part : record.cpu) {
			stack(part.stack);
		}
		if (record.gil) {
			for (auto &holder : record.gil->holders) {
				stack(holder.stack);
			}
		}
		if (record.peer) {
			visit_thread(record.peer->thread, stack, resource, text);
		}
		for (auto &peer : record.beyond) {
			visit_thread(peer.thread, stack, resource, text);
		}
		texts_of_frame(record.culprit, text);
		text(record.summary);
	} else if constexpr (std::is_same_v<std::remove_const_t<R>, Standstill>) {
		for (auto &group : record.tasks) {
			visit_group(group, stack, resource, text);
		}
		texts_of_frame(record.culprit, text);
		text(record.summary);
	}
	if (auto *threads = threads_of(record)) {
		for (auto &thread : *threads) {
			visit_thread(thread, stack, resource, text);
		}
	}
}

template <typename R> std::size_t count_threads(const R &record) {
	const auto *threads = threads_of(record);
	return threads != nullptr ? threads->size() : 0;
}

std::size_t frames_of(const Stack &stack) {
	return stack.python.size() + stack.javascript.size() + stack.native.size() + stack.kernel.size();
}

// At most so many bytes as JSON: what is not a name or a path is counted by the most that its numbers take.
template <typename R> std::size_t json_size(const R &record) {
	constexpr std::size_t fixed = 8192;
	constexpr std::size_t of_a_frame = 160;
	constexpr std::size_t of_a_part = 600; // a wait, a thread, a holder: each has a stack or a resource
	std::size_t bytes = fixed;
	const auto add_text = [&](const auto &text) {
		if constexpr (std::is_same_v<std::remove_cvref_t<decltype(text)>, std::string>) {
			bytes += json_bytes(text);
		} else {
			bytes += text ? json_bytes(*text) : 0;
		}
	};
	visit(
	    record,
	    [&](const Stack &stack) {
		    bytes += of_a_part + frames_of(stack) * of_a_frame;
		    texts_of_stack(stack, add_text);
	    },
	    [&](const Resource &resource) {
		    bytes += of_a_part;
		    texts_of_resource(resource, add_text);
	    },
	    add_text);
	if constexpr (std::is_same_v<R, Stall>) {
		bytes += record.waits.size() * of_a_part;
	} else if constexpr (std::is_same_v<R, Standstill>) {
		for (const TaskGroup &group : record.tasks) {
			const std::size_t holders = group.waits_for ? group.waits_for->holders.size() : 0;
			const bool executor = group.waits_for && group.waits_for->executor;
			bytes +=
			    of_a_part + (executor ? 2 * of_a_part : 0) + (group.stack.size() + holders + group.names.size()) * of_a_frame;
		}
	}
	return bytes + count_threads(record) * of_a_part;
}

// Drops what is beyond `max` from the end, and counts it.
template <typename T> void cut_list(std::vector<T> &list, std::size_t max, std::uint64_t &left_out) {
	if (list.size() > max) {
		left_out += list.size() - max;
		list.erase(list.begin() + static_cast<std::ptrdiff_t>(max), list.end());
	}
}

// Not inside a character of UTF-8: a cut that is made there goes back to where it begins.
void cut_text(std::string &text, std::size_t max, std::uint64_t &left_out) {
	constexpr std::string_view mark = "\u2026";
	if (text.size() <= max) {
		return;
	}
	left_out += text.ends_with(mark) ? 0 : 1; // one that was cut before counts once
	text.resize(utf8::cut_before(text, max - mark.size()));
	text += mark;
}

void cut_stack(Stack &stack, const Limits &limits, LeftOut &left_out) {
	cut_list(stack.python, limits.frames, left_out.frames);
	cut_list(stack.javascript, limits.frames, left_out.frames);
	cut_list(stack.native, limits.frames, left_out.frames);
	cut_list(stack.kernel, limits.frames, left_out.frames);
}

template <typename R> void cut(R &record, const Limits &limits, LeftOut &left_out) {
	if constexpr (std::is_same_v<R, Stall>) {
		cut_list(record.waits, limits.waits, left_out.waits);
	} else if constexpr (std::is_same_v<R, Standstill>) {
		for (TaskGroup &group : record.tasks) {
			cut_list(group.stack, limits.frames, left_out.frames);
		}
	}
	if (auto *threads = threads_of(record)) {
		cut_list(*threads, limits.threads, left_out.threads);
	}
	const auto shorten = [&](auto &text) {
		if constexpr (std::is_same_v<std::remove_cvref_t<decltype(text)>, std::string>) {
			cut_text(text, limits.text_bytes, left_out.texts);
		} else if (text) {
			cut_text(*text, limits.text_bytes, left_out.texts);
		}
	};
	visit(
	    record,
	    [&](Stack &stack) {
		    cut_stack(stack, limits, left_out);
		    texts_of_stack(stack, shorten);
	    },
	    [&](Resource &resource) { texts_of_resource(resource, shorten); }, shorten);
}

template <typename R> std::optional<Record> limited_one(const R &record) {
	constexpr bool once = std::is_same_v<R, Dump>;
	constexpr std::size_t max_bytes = once ? max_dump_bytes : max_record_bytes;
	if (json_size(record) <= max_bytes && count_threads(record) <= (once ? max_dump_threads : max_threads)) {
		return std::nullopt;
	}
	R smaller = record;
	LeftOut left_out = record.left_out.value_or(LeftOut());
	if constexpr (once) {
		cut(smaller, whole_dump, left_out);
	}
	for (const Limits &limits : steps) {
		if (once && json_size(smaller) <= max_bytes) {
			break;
		}
		cut(smaller, limits, left_out);
		if (json_size(smaller) <= max_bytes) {
			break;
		}
	}
	smaller.left_out = left_out;
	return Record(std::move(smaller));
}

} // namespace

std::optional<Record> limited(const Record &record) {
	if (const auto *stall = std::get_if<Stall>(&record)) {
		return limited_one(*stall);
	}
	if (const auto *dump = std::get_if<Dump>(&record)) {
		return limited_one(*dump);
	}
	if (const auto *standstill = std::get_if<Standstill>(&record)) {
		return limited_one(*standstill);
	}
	return std::nullopt; // tasks are bounded where they are read, others have no stacks
}

} // namespace loopsnoop::output
