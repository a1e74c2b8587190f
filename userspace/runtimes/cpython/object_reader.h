// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "process/memory.h"
#include "runtimes/cpython/attributes.h"
#include "runtimes/cpython/offsets.h"

namespace loopsnoop::runtimes::cpython {

// Of an object with one field, behind its head (PyObject): a cell, a weak reference, a wrapper.
inline constexpr std::uint64_t after_head = 16;
// Read of one process. CPython's own reader of asyncio's lists stops there, too (2^16 steps).
inline constexpr std::size_t max_tasks = 65'536;

// Objects of Python as a program would see them: by type, by attribute, item by item. Lives for one snapshot, because it keeps
// what it learns of types. Everything is checked before it is believed: an address leads to an object only where its type is one.
// All reads are bounded; a wrong address gives nothing, not something else. One thread; `memory` and `offsets` must outlive it.
class ObjectReader {
public:
	ObjectReader(const process::Memory &memory, const Offsets &offsets) : memory_(memory), offsets_(offsets) {}

	// PyTypeObject.tp_name: "Lock" of a class written in Python, "_asyncio.Task" of one written in C. Empty: no object there.
	[[nodiscard]] std::string_view type_name(std::uint64_t object);
	// Of that type, or of one derived from it.
	[[nodiscard]] bool is_a(std::uint64_t object, std::string_view type_name);

	// From a slot, a member of a type written in C, or the instance's dictionary. nullopt: none there, or NULL.
	[[nodiscard]] std::optional<std::uint64_t> attribute(std::uint64_t object, std::string_view name);
	// `attribute` of an attribute, and so on: "_transport", "_sock".
	[[nodiscard]] std::optional<std::uint64_t> attribute(std::uint64_t object, std::string_view first, std::string_view second);

	[[nodiscard]] std::optional<std::string> text(std::uint64_t object, std::size_t max_characters = 256);
	[[nodiscard]] std::optional<std::uint64_t> integer(std::uint64_t object);
	[[nodiscard]] std::optional<double> number(std::uint64_t object); // a float or an int
	[[nodiscard]] bool is_none(std::uint64_t object) { return type_name(object) == "NoneType"; }
	[[nodiscard]] bool is_true(std::uint64_t object);

	// What is in a list, tuple, set, frozenset, deque or WeakSet (what its weak references lead to), the first `most`.
	[[nodiscard]] std::vector<std::uint64_t> items(std::uint64_t object, std::size_t most);
	// How many that are. nullopt: none of these.
	[[nodiscard]] std::optional<std::uint64_t> size(std::uint64_t object);
	[[nodiscard]] std::vector<DictEntry> entries(std::uint64_t dict, std::size_t most);
	// By a key that is a str.
	[[nodiscard]] std::optional<std::uint64_t> value(std::uint64_t dict, std::string_view key, std::size_t most = 65'536);

	// A bound method, of Python or C: the object it is bound to, 0 for others; and what it is called.
	[[nodiscard]] std::uint64_t self_of(std::uint64_t callable);
	[[nodiscard]] std::string callable_name(std::uint64_t callable);
	// The code object of a function written in Python, or of a method; 0: neither.
	[[nodiscard]] std::uint64_t code_of(std::uint64_t callable);
	// The cells' contents of a function written in Python.
	[[nodiscard]] std::vector<std::uint64_t> closure(std::uint64_t function);

	[[nodiscard]] std::uint64_t word(std::uint64_t address) const {
		return memory_.read_value<std::uint64_t>(address).value_or(0);
	}
	[[nodiscard]] const process::Memory &memory() const { return memory_; }
	[[nodiscard]] const Offsets &offsets() const { return offsets_; }
	// Likely to be an object's address: in user space and aligned.
	[[nodiscard]] static bool may_be_object(std::uint64_t word);

private:
	struct Type {
		std::string name; // empty: no type
		std::uint64_t base = 0;
		std::uint64_t flags = 0;
		std::optional<std::map<std::string, std::uint64_t, std::less<>>> members; // offsets in instances
	};
	[[nodiscard]] Type &type(std::uint64_t address);
	[[nodiscard]] const std::map<std::string, std::uint64_t, std::less<>> &members(Type &type, std::uint64_t address);
	[[nodiscard]] std::vector<std::uint64_t> words(std::uint64_t address, std::uint64_t count, std::size_t most) const;
	[[nodiscard]] std::vector<std::uint64_t> set_items(std::uint64_t set, std::size_t most) const;
	[[nodiscard]] std::vector<std::uint64_t> deque_items(std::uint64_t deque, std::size_t most) const;
	[[nodiscard]] std::vector<std::uint64_t> weak_items(std::uint64_t weak_set, std::size_t most);

	const process::Memory &memory_;
	const Offsets &offsets_;
	std::unordered_map<std::uint64_t, Type> types_;
};

} // namespace loopsnoop::runtimes::cpython
