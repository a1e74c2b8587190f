// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/escape.h"
#include "output/record_traits.h"

namespace loopsnoop::output {

// Writes one JSON object: the visitor of the lists of fields (record_fields.h) that appends each field to a line, without a tree
// of values in between, which took two fifths of the CPU time of a storm of stalls. See JsonReader for its counterpart; the
// functions of both have the same names, and what they mean is said once, in record_fields.h.
class JsonWriter {
public:
	static constexpr bool reading = false;

	explicit JsonWriter(std::string &line) : line_(line) { line_ += '{'; }
	JsonWriter(const JsonWriter &) = delete;
	JsonWriter &operator=(const JsonWriter &) = delete;
	~JsonWriter() { line_ += '}'; }

	template <typename T> void field(std::string_view name, const T &value) {
		key(name);
		write(value);
	}
	template <typename T> void required(std::string_view name, const T &value) { field(name, value); }
	template <typename T> void field_if(bool present, std::string_view name, const T &value) {
		if (present) {
			field(name, value);
		}
	}
	template <typename T> void optional(std::string_view name, const T &value) {
		if (!is_default(value)) {
			field(name, value);
		}
	}
	template <typename T> void or_null(std::string_view name, const T &value) { or_null_if(is_default(value), name, value); }
	template <typename T> void or_null_if(bool is_null, std::string_view name, const T &value) {
		key(name);
		if (is_null) {
			line_ += "null";
		} else {
			write(value);
		}
	}
	template <typename T> void hexadecimal(std::string_view name, const T &value) {
		key(name);
		write_hexadecimal(value);
	}
	template <typename T> void optional_hexadecimal(std::string_view name, const T &value) {
		if (!is_default(value)) {
			hexadecimal(name, value);
		}
	}
	template <typename T> void constant(std::string_view name, const T &value) { field(name, value); }
	void either(std::string_view name, bool value, std::string_view if_true, std::string_view if_false,
	            Unknown /*of the reader*/) {
		field(name, value ? if_true : if_false);
	}
	template <typename Kinds> bool kind(std::string_view name, const Kinds &kinds) {
		field(name, std::visit([]<typename Kind>(const Kind & /*value*/) { return kind_name<Kind>; }, kinds));
		return true;
	}
	template <typename Members> void object_or_null(std::string_view name, bool present, Members members) {
		key(name);
		if (present) {
			JsonWriter inner(line_);
			members(inner);
		} else {
			line_ += "null";
		}
	}

private:
	void key(std::string_view name) {
		if (!first_) {
			line_ += ',';
		}
		first_ = false;
		line_ += '"';
		line_ += name; // ours: nothing to escape
		line_ += "\":";
	}

	template <typename T> void write(const T &value) {
		if constexpr (std::is_same_v<T, bool>) {
			line_ += value ? "true" : "false";
		} else if constexpr (std::is_arithmetic_v<T>) {
			const fmt::format_int digits(value);
			line_.append(digits.data(), digits.size());
		} else if constexpr (std::is_convertible_v<T, std::string_view>) {
			append_json_string(line_, value);
		} else if constexpr (std::is_enum_v<T>) {
			or_null_text(name_of(value));
		} else {
			write_compound(value);
		}
	}
	void or_null_text(std::string_view text) {
		if (text.empty()) {
			line_ += "null";
		} else {
			append_json_string(line_, text);
		}
	}
	template <typename T> void write_compound(const std::optional<T> &value) {
		if (value) {
			write(*value);
		} else {
			line_ += "null";
		}
	}
	template <typename T> void write_compound(const std::vector<T> &values) {
		line_ += '[';
		for (std::size_t i = 0; i < values.size(); i++) {
			if (i != 0) {
				line_ += ',';
			}
			write(values[i]);
		}
		line_ += ']';
	}
	void write_hexadecimal(std::uint64_t value) { fmt::format_to(std::back_inserter(line_), "\"{:#x}\"", value); }
	void write_hexadecimal(const std::optional<std::uint64_t> &value) {
		if (value) {
			write_hexadecimal(*value);
		} else {
			line_ += "null";
		}
	}
	void write_hexadecimal(const std::vector<std::uint64_t> &values) {
		line_ += '[';
		for (std::size_t i = 0; i < values.size(); i++) {
			line_ += i == 0 ? "" : ",";
			write_hexadecimal(values[i]);
		}
		line_ += ']';
	}
	template <typename T> void write_compound(const T &object) {
		JsonWriter inner(line_);
		fields(inner, object);
	}

	std::string &line_;
	bool first_ = true;
};

} // namespace loopsnoop::output
