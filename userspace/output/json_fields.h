// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace loopsnoop::output {

// The fields of one JSON object, taken one by one. The first field that is not what it should be is kept in `problem`, with its
// place; reading goes on with defaults, so that the code that reads needs no branch a field.
class Fields {
public:
	Fields(const nlohmann::json &object, std::string place, std::string &problem)
	    : object_(object), place_(std::move(place)), problem_(problem) {
		if (!object_.is_object()) {
			complain(place_, "not an object");
		}
	}

	// Absent and null are the same: could not be had.
	[[nodiscard]] const nlohmann::json *find(const char *name) const {
		if (!object_.is_object()) {
			return nullptr;
		}
		const auto at = object_.find(name);
		return at == object_.end() || at->is_null() ? nullptr : &*at;
	}

	template <typename T> void get(const char *name, std::optional<T> &out) const {
		if (const nlohmann::json *value = find(name); value != nullptr) {
			T read{};
			if (take(*value, read)) {
				out = std::move(read);
			} else {
				complain(place_of(name), wanted<T>());
			}
		}
	}

	// Leaves `out` as it is when the field is absent.
	template <typename T> void get(const char *name, T &out) const {
		std::optional<T> value;
		get(name, value);
		if (value) {
			out = std::move(*value);
		}
	}

	// A record makes no sense without this one.
	template <typename T> void need(const char *name, T &out) const {
		if (find(name) == nullptr) {
			complain(place_of(name), "missing");
		}
		get(name, out);
	}

	// Calls read(Fields) for an object that is there.
	template <typename Read> void object(const char *name, Read read) const {
		if (const nlohmann::json *value = find(name); value != nullptr) {
			read(Fields(*value, place_of(name), problem_));
		}
	}

	// Calls read(Fields) for each object of a list that is there.
	template <typename Read> void list(const char *name, Read read) const {
		const nlohmann::json *value = find(name);
		if (value == nullptr) {
			return;
		}
		if (!value->is_array()) {
			complain(place_of(name), "not a list");
			return;
		}
		for (std::size_t i = 0; i < value->size(); i++) {
			read(Fields((*value)[i], place_of(name) + '[' + std::to_string(i) + ']', problem_));
		}
	}

	template <typename T> void values(const char *name, std::vector<T> &out) const {
		const nlohmann::json *list = find(name);
		if (list == nullptr) {
			return;
		}
		for (std::size_t i = 0; list->is_array() && i < list->size(); i++) {
			T read{};
			if (!take((*list)[i], read)) {
				complain(place_of(name), wanted<T>());
				return;
			}
			out.push_back(std::move(read));
		}
		if (!list->is_array()) {
			complain(place_of(name), "not a list");
		}
	}

	// "0x46"
	void get_hexadecimal(const char *name, std::uint64_t &out) const;

	[[nodiscard]] const nlohmann::json &json() const { return object_; }
	void complain(const std::string &place, std::string_view what) const {
		if (problem_.empty()) {
			problem_ = place + ": " + std::string(what);
		}
	}
	[[nodiscard]] std::string place_of(std::string_view name) const { return place_ + '.' + std::string(name); }

private:
	template <typename T> static bool take(const nlohmann::json &value, T &out) {
		if constexpr (std::is_same_v<T, bool>) {
			return value.is_boolean() && (out = value.get<bool>(), true);
		} else if constexpr (std::is_same_v<T, std::string>) {
			return value.is_string() && (out = value.get_ref<const std::string &>(), true);
		} else if constexpr (std::is_unsigned_v<T>) {
			// What does not fit 64 bits was read as floating point, what is negative as signed: neither is unsigned.
			if (!value.is_number_unsigned() || value.get<std::uint64_t>() > std::numeric_limits<T>::max()) {
				return false;
			}
			out = static_cast<T>(value.get<std::uint64_t>());
			return true;
		} else {
			static_assert(std::is_same_v<T, int>);
			if (!value.is_number_integer() ||
			    (value.is_number_unsigned() &&
			     value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<int>::max())) ||
			    value.get<std::int64_t>() < std::numeric_limits<int>::min()) {
				return false;
			}
			out = static_cast<int>(value.get<std::int64_t>());
			return true;
		}
	}

	template <typename T> static constexpr std::string_view wanted() {
		if constexpr (std::is_same_v<T, bool>) {
			return "not true or false";
		} else if constexpr (std::is_same_v<T, std::string>) {
			return "not a string";
		} else {
			return sizeof(T) == sizeof(std::uint64_t) ? "not a 64-bit number" : "not a 32-bit number";
		}
	}

	const nlohmann::json &object_;
	std::string place_;
	std::string &problem_;
};

} // namespace loopsnoop::output
