// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/gevent/current.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <vector>

namespace loopsnoop::runtimes::cpython::gevent {

namespace {

constexpr std::uint64_t greenlet_impl = 32;   // PyGreenlet.pimpl, greenlet.h, since 1.1: behind weakreflist and dict
constexpr std::uint64_t frame_of_object = 24; // PyFrameObject.f_frame, Include/internal/pycore_frame.h, since 3.11
constexpr std::size_t impl_words = 32;
constexpr std::size_t max_ancestors = 64;
constexpr std::size_t max_name = 200;

constexpr std::string_view greenlet_type = "greenlet.greenlet";

// Of a thread: tcbhead_t.dtv of glibc, struct pthread.dtv of musl, both behind the block's own address.
constexpr std::uint64_t thread_vector = 8;
constexpr std::size_t vector_words = 512; // 256 libraries with thread_local variables
constexpr std::size_t block_words = 16;   // greenlet's library has one such variable

std::vector<std::uint64_t> words_at(ObjectReader &reader, std::uint64_t address, std::size_t count) {
	std::vector<std::uint64_t> words(count);
	const std::size_t got = reader.memory().read_some(address, std::as_writable_bytes(std::span(words)));
	words.resize(got / sizeof(std::uint64_t));
	return words;
}

// {main_greenlet, current_greenlet, …}: the main one's C++ part has the state's address.
bool is_state(ObjectReader &reader, std::uint64_t state) {
	const std::uint64_t main = reader.word(state);
	if (!reader.is_a(main, greenlet_type) || !reader.is_a(reader.word(state + sizeof(std::uint64_t)), greenlet_type)) {
		return false;
	}
	const auto words = words_at(reader, reader.word(main + greenlet_impl), impl_words);
	return std::ranges::find(words, state) != words.end();
}

} // namespace

Greenlet read_greenlet(ObjectReader &reader, std::uint64_t object) {
	Greenlet greenlet{object, 0, 0};
	const auto words = words_at(reader, reader.word(object + greenlet_impl), impl_words);
	const auto is_other = [&](std::uint64_t word) { return word != object && reader.is_a(word, greenlet_type); };
	for (std::size_t i = 1; i < words.size(); i++) {
		if (greenlet.frame == 0 && reader.type_name(words[i]) == "frame") {
			greenlet.frame = words[i];
		}
		// UserGreenlet: _main_greenlet, _run_callable, _parent. What follows is of somebody else.
		constexpr std::size_t parent = 2;
		if (i + parent < words.size() && is_other(words[i]) && is_other(words[i + parent])) {
			greenlet.parent = words[i + parent];
			break;
		}
	}
	if (greenlet.frame != 0 && reader.offsets().coroutine.form >= CoroutineForm::embedded_with_depth) {
		greenlet.frame = reader.word(greenlet.frame + frame_of_object);
	}
	return greenlet;
}

std::string name_of_greenlet(ObjectReader &reader, std::uint64_t object) {
	if (const auto own = reader.text(reader.attribute(object, "name").value_or(0), max_name); own && !own->empty()) {
		return *own;
	}
	const std::string_view type = reader.type_name(object);
	return std::string(type.substr(type.rfind('.') + 1)); // of "gevent._gevent_cgreenlet.Greenlet"
}

std::uint64_t find_greenlet_state(ObjectReader &reader, const ThreadState &thread) {
	const std::uint64_t vector = reader.word(thread.thread_id + thread_vector);
	for (const std::uint64_t block : words_at(reader, vector, vector_words)) {
		if (!ObjectReader::may_be_object(block)) {
			continue;
		}
		for (const std::uint64_t state : words_at(reader, block, block_words)) {
			if (ObjectReader::may_be_object(state) && is_state(reader, state)) {
				return state;
			}
		}
	}
	return 0;
}

std::uint64_t current_greenlet(ObjectReader &reader, std::uint64_t state) {
	return state != 0 && is_state(reader, state) ? reader.word(state + sizeof(std::uint64_t)) : 0;
}

std::uint64_t task_greenlet(ObjectReader &reader, std::uint64_t current) {
	for (std::size_t i = 0; i < max_ancestors && !reader.is_a(current, "Hub"); i++) {
		const std::uint64_t parent = read_greenlet(reader, current).parent;
		if (parent == 0 || reader.is_a(parent, "Hub")) {
			return current;
		}
		current = parent;
	}
	return 0;
}

} // namespace loopsnoop::runtimes::cpython::gevent
