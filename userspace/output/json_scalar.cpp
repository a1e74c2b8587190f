// SPDX-License-Identifier: Apache-2.0
#include "output/json_scalar.h"

#include <charconv>
#include <limits>
#include <system_error>

namespace loopsnoop::output {

bool take_scalar(const nlohmann::json &json, bool &out) { return json.is_boolean() && (out = json.get<bool>(), true); }

bool take_scalar(const nlohmann::json &json, std::string &out) {
	return json.is_string() && (out = json.get_ref<const std::string &>(), true);
}

bool take_scalar(const nlohmann::json &json, int &out) {
	std::int64_t wide = 0;
	if (!take_scalar(json, wide) || wide > std::numeric_limits<int>::max() || wide < std::numeric_limits<int>::min()) {
		return false;
	}
	out = static_cast<int>(wide);
	return true;
}

bool take_scalar(const nlohmann::json &json, std::uint32_t &out) {
	std::uint64_t wide = 0;
	if (!take_scalar(json, wide) || wide > std::numeric_limits<std::uint32_t>::max()) {
		return false;
	}
	out = static_cast<std::uint32_t>(wide);
	return true;
}

// What does not fit 64 bits was read as floating point, what is negative as signed: neither is unsigned.
bool take_scalar(const nlohmann::json &json, std::uint64_t &out) {
	return json.is_number_unsigned() && (out = json.get<std::uint64_t>(), true);
}

bool take_scalar(const nlohmann::json &json, std::int64_t &out) {
	if (!json.is_number_integer() ||
	    (json.is_number_unsigned() &&
	     json.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))) {
		return false;
	}
	out = json.get<std::int64_t>();
	return true;
}

std::optional<std::uint64_t> hexadecimal_of(std::string_view text) {
	constexpr std::string_view prefix = "0x";
	if (!text.starts_with(prefix) || text.size() == prefix.size()) {
		return std::nullopt;
	}
	std::uint64_t value = 0;
	const char *end = text.data() + text.size();
	const auto [stopped, failure] = std::from_chars(text.data() + prefix.size(), end, value, 16);
	return failure == std::errc{} && stopped == end ? std::optional(value) : std::nullopt;
}

} // namespace loopsnoop::output
