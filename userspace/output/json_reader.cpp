// SPDX-License-Identifier: Apache-2.0
#include "output/json_reader.h"

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
	const auto value = hexadecimal_of(text);
	if (!value) {
		complain(place, "not a hexadecimal number");
	}
	return value.value_or(0);
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

} // namespace loopsnoop::output
