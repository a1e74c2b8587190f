// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "output/json_scalar.h"
#include "output/record_traits.h"

namespace loopsnoop::output {

// Where in a record a value is, as "stall.waits[2].pid"; made into text only for a complaint. Lives shorter than what it is in.
struct JsonPlace {
	const JsonPlace *in = nullptr;
	std::string_view name;
	std::optional<std::size_t> index = std::nullopt;

	[[nodiscard]] std::string text() const;
};

// Reads one JSON object: the visitor of the lists of fields (record_fields.h) that fills a model value. Unknown fields are passed
// over; absent and null are the same, and leave the value as it is. The first field that is not what it should be is kept in
// `problem`, with its place; reading goes on, so that a list of fields needs no branch.
class JsonReader {
public:
	static constexpr bool reading = true;

	// All three are kept by reference.
	JsonReader(const nlohmann::json &object, const JsonPlace &place, std::string &problem)
	    : object_(object), place_(place), problem_(problem) {
		if (!object_.is_object()) {
			complain(place_, "not an object");
		}
	}

	template <typename T> void field(std::string_view name, T &value) {
		if (const nlohmann::json *found = find(name); found != nullptr) {
			read(*found, JsonPlace{&place_, name}, value);
		}
	}
	template <typename T> void required(std::string_view name, T &value) {
		if (find(name) == nullptr) {
			complain(JsonPlace{&place_, name}, "missing");
		}
		field(name, value);
	}
	template <typename T> void field_if(bool /*present: of the writer*/, std::string_view name, T &value) { field(name, value); }
	template <typename T> void optional(std::string_view name, T &value) { field(name, value); }
	template <typename T> void or_null(std::string_view name, T &value) { field(name, value); }
	template <typename T> void or_null_if(bool /*is_null: of the writer*/, std::string_view name, T &value) {
		field(name, value);
	}
	void hexadecimal(std::string_view name, std::uint64_t &value);
	void hexadecimal(std::string_view name, std::optional<std::uint64_t> &value);
	void hexadecimal(std::string_view name, std::vector<std::uint64_t> &values);
	template <typename T> void optional_hexadecimal(std::string_view name, T &value) { hexadecimal(name, value); }
	template <typename T> void constant(std::string_view /*name*/, const T & /*value*/) {}
	void either(std::string_view name, bool &value, std::string_view if_true, std::string_view if_false, Unknown unknown);
	// False: a kind that is not known. The object is then left out of where it would go.
	template <typename... Kinds> bool kind(std::string_view name, std::variant<Kinds...> &kinds) {
		std::string word;
		required(name, word);
		known_ = ((kind_name<Kinds> == word && (kinds.template emplace<Kinds>(), true)) || ...);
		return known_;
	}
	template <typename Members> void object_or_null(std::string_view name, bool /*present: of the writer*/, Members members) {
		if (const nlohmann::json *found = find(name); found != nullptr) {
			const JsonPlace place{&place_, name};
			JsonReader inner(*found, place, problem_);
			members(inner);
		}
	}

	// Null, too, counts as absent.
	[[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
	// Calls one(name, reader of the object) for each field of this object.
	template <typename One> void each(One one) {
		for (auto at = object_.begin(); object_.is_object() && at != object_.end(); ++at) {
			const JsonPlace place{&place_, at.key()};
			JsonReader inner(at.value(), place, problem_);
			one(at.key(), inner);
		}
	}

private:
	[[nodiscard]] const nlohmann::json *find(std::string_view name) const;
	void complain(const JsonPlace &place, std::string_view what) const {
		if (problem_.empty()) {
			problem_ = place.text() + ": " + std::string(what);
		}
	}

	// False: it is of a kind that is not known.
	template <typename T> bool read(const nlohmann::json &json, const JsonPlace &place, T &value) {
		if constexpr (std::is_enum_v<T>) {
			std::string word;
			if (read(json, place, word)) {
				value = value_named(word, value);
			}
			return true;
		} else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
			if (!take_scalar(json, value)) {
				complain(place, what_it_is_not<T>());
			}
			return true;
		} else {
			return read_compound(json, place, value);
		}
	}
	template <typename T> bool read_compound(const nlohmann::json &json, const JsonPlace &place, std::optional<T> &value) {
		value.emplace();
		if (!read(json, place, *value)) {
			value.reset();
		}
		return true;
	}
	template <typename T> bool read_compound(const nlohmann::json &json, const JsonPlace &place, std::vector<T> &values) {
		if (!json.is_array()) {
			complain(place, "not a list");
			return true;
		}
		for (std::size_t i = 0; i < json.size(); i++) {
			if (!read(json[i], JsonPlace{place.in, place.name, i}, values.emplace_back())) {
				values.pop_back();
			}
		}
		return true;
	}
	template <typename T> bool read_compound(const nlohmann::json &json, const JsonPlace &place, T &object) {
		JsonReader inner(json, place, problem_);
		fields(inner, object);
		return inner.known_;
	}

	std::uint64_t read_hexadecimal(const JsonPlace &place, const std::string &text) const;

	const nlohmann::json &object_;
	const JsonPlace &place_;
	std::string &problem_;
	bool known_ = true;
};

} // namespace loopsnoop::output
