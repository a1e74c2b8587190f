// SPDX-License-Identifier: Apache-2.0
#include "output/json_reader.h"

#include <charconv>
#include <limits>
#include <system_error>

namespace loopsnoop::output {

std::string JsonPlace::text() const {
	std::string out = in == nullptr ? std::string() : in->text() + '.';
	out += name;
	return index ? out + '[' + std::to_string(*index) + ']' : out;
}

const nlohmann::json *JsonReader::find(std::string_view name) const {
	if (!object_.is_object()) {
		return nullptr;
	}
	const auto at = object_.find(name);
	return at == object_.end() || at->is_null() ? nullptr : &*at;
}

void JsonReader::hexadecimal(std::string_view name, std::uint64_t &value) {
	std::optional<std::uint64_t> read;
	hexadecimal(name, read);
	value = read.value_or(value);
}

void JsonReader::hexadecimal(std::string_view name, std::optional<std::uint64_t> &value) {
	std::optional<std::string> text;
	field(name, text);
	if (text) {
		value = read_hexadecimal(JsonPlace{&place_, name}, *text);
	}
}

void JsonReader::hexadecimal(std::string_view name, std::vector<std::uint64_t> &values) {
	std::vector<std::string> texts;
	field(name, texts);
	for (const std::string &text : texts) {
		values.push_back(read_hexadecimal(JsonPlace{&place_, name, values.size()}, text));
	}
}

std::uint64_t JsonReader::read_hexadecimal(const JsonPlace &place, const std::string &text) const {
	std::uint64_t value = 0;
	const char *end = text.data() + text.size();
	const bool prefixed = text.starts_with("0x") && text.size() > 2;
	const auto [stopped, failure] = std::from_chars(text.data() + (prefixed ? 2 : 0), end, value, 16);
	if (!prefixed || failure != std::errc{} || stopped != end) {
		complain(place, "not a hexadecimal number");
	}
	return value;
}

void JsonReader::either(std::string_view name, bool &value, std::string_view if_true, std::string_view if_false,
                        Unknown unknown) {
	std::string word;
	if (unknown == Unknown::is_error) {
		required(name, word);
	} else {
		field(name, word);
	}
	value = word == if_true || (word != if_false && unknown == Unknown::is_true);
	if (unknown == Unknown::is_error && word != if_true && word != if_false) {
		complain(JsonPlace{&place_, name}, "neither \"" + std::string(if_true) + "\" nor \"" + std::string(if_false) + '"');
	}
}

bool JsonReader::take(const nlohmann::json &json, bool &out) { return json.is_boolean() && (out = json.get<bool>(), true); }

bool JsonReader::take(const nlohmann::json &json, std::string &out) {
	return json.is_string() && (out = json.get_ref<const std::string &>(), true);
}

bool JsonReader::take(const nlohmann::json &json, int &out) {
	std::int64_t wide = 0;
	if (!take(json, wide) || wide > std::numeric_limits<int>::max() || wide < std::numeric_limits<int>::min()) {
		return false;
	}
	out = static_cast<int>(wide);
	return true;
}

bool JsonReader::take(const nlohmann::json &json, std::uint32_t &out) {
	std::uint64_t wide = 0;
	if (!take(json, wide) || wide > std::numeric_limits<std::uint32_t>::max()) {
		return false;
	}
	out = static_cast<std::uint32_t>(wide);
	return true;
}

// What does not fit 64 bits was read as floating point, what is negative as signed: neither is unsigned.
bool JsonReader::take(const nlohmann::json &json, std::uint64_t &out) {
	return json.is_number_unsigned() && (out = json.get<std::uint64_t>(), true);
}

bool JsonReader::take(const nlohmann::json &json, std::int64_t &out) {
	if (!json.is_number_integer() ||
	    (json.is_number_unsigned() &&
	     json.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))) {
		return false;
	}
	out = json.get<std::int64_t>();
	return true;
}

} // namespace loopsnoop::output
