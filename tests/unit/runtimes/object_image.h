// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "python_image.h"

namespace loopsnoop::test {

// Objects of Python in a FakeMemory, at addresses of its own choice.
struct ObjectImage : PythonImage {
	explicit ObjectImage(std::uint8_t minor) : PythonImage{{}, *runtimes::cpython::offsets_of({3, minor, {}, {}})} {}

	std::uint64_t room(std::uint64_t bytes) {
		const std::uint64_t at = next_;
		next_ += (bytes + 15) / 16 * 16 + 64; // what is before an object belongs to it, too
		for (std::uint64_t word = at - 64; word < at + bytes + 64; word += 8) {
			memory.put<std::uint64_t>(word, 0);
		}
		return at;
	}
	// A type of that tp_name; the same for the same name.
	std::uint64_t type(const std::string &name, std::uint64_t base = 0) {
		if (const auto known = types_.find(name); known != types_.end()) {
			return known->second;
		}
		const std::uint64_t text = room(name.size() + 1);
		memory.put_text(text, name);
		const std::uint64_t at = types_[name] = room(1024);
		memory.put(at + offsets.object.type, name == "type" ? at : type("type"));
		memory.put(at + offsets.type.name, text);
		memory.put(at + offsets.type.flags, name == "type" ? std::uint64_t{1} << 31U : std::uint64_t{0});
		constexpr std::uint64_t type_base = 256;
		memory.put(at + type_base, base);
		return at;
	}
	std::uint64_t object(const std::string &type_name, std::uint64_t bytes = 64) {
		const std::uint64_t at = room(bytes);
		memory.put<std::uint64_t>(at, 1);
		memory.put(at + offsets.object.type, type(type_name));
		return at;
	}
	std::uint64_t text(std::string_view characters) {
		const std::uint64_t at = object("str", 128 + characters.size());
		string(at, 0, characters);
		return at;
	}
	std::uint64_t tuple(const std::vector<std::uint64_t> &items) {
		const std::uint64_t at = object("tuple", 64 + 8 * items.size());
		memory.put<std::uint64_t>(at + offsets.object.var_size, items.size());
		for (std::size_t i = 0; i < items.size(); ++i) {
			memory.put(at + offsets.containers.tuple_items + 8 * i, items[i]);
		}
		return at;
	}
	std::uint64_t list(const std::vector<std::uint64_t> &items) {
		const std::uint64_t at = object("list");
		const std::uint64_t table = room(8 * items.size() + 8);
		memory.put<std::uint64_t>(at + offsets.object.var_size, items.size());
		memory.put(at + offsets.containers.list_items, table);
		for (std::size_t i = 0; i < items.size(); ++i) {
			memory.put(table + 8 * i, items[i]);
		}
		return at;
	}

private:
	std::uint64_t next_ = 0x1000000;
	std::map<std::string, std::uint64_t> types_;
};

} // namespace loopsnoop::test
