// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "output/json.h"
#include "output/json_reader.h"
#include "output/record_fields.h"

namespace loopsnoop::output {

namespace {

// Nothing loopsnoop writes is deeper than ten levels; a hostile file must not fill the stack of whoever walks the value.
constexpr int max_nesting = 64;

bool too_deep(std::string_view line) {
	int depth = 0;
	bool in_string = false;
	for (std::size_t i = 0; i < line.size(); i++) {
		const char c = line[i];
		if (in_string) {
			i += c == '\\' ? 1 : 0;
			in_string = c != '"';
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > max_nesting) {
				return true;
			}
		} else if (c == ']' || c == '}') {
			depth--;
		}
	}
	return false;
}

Error not_a_record(std::string where) { return make_error("read the record", std::move(where)); }

template <typename T> Result<std::optional<Record>> read_record(const nlohmann::json &json) {
	std::string problem;
	T value{};
	const JsonPlace place{nullptr, record_type<T>};
	JsonReader reader(json, place, problem);
	fields(reader, value);
	if (!problem.empty()) {
		return not_a_record(std::move(problem));
	}
	return std::optional<Record>(std::move(value));
}

template <typename... Types>
Result<std::optional<Record>> read_any(const nlohmann::json &json, std::string_view type,
                                       const std::variant<Types...> * /*of these*/) {
	Result<std::optional<Record>> record = std::optional<Record>{};
	(void)((record_type<Types> == type && (record = read_record<Types>(json), true)) || ...);
	return record;
}

} // namespace

Result<std::optional<Record>> parse_json_line(std::string_view line) {
	if (too_deep(line)) {
		return not_a_record(fmt::format("nested deeper than {} levels", max_nesting));
	}
	const nlohmann::json json = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
	if (json.is_discarded()) {
		return not_a_record("not JSON");
	}
	if (!json.is_object()) {
		return not_a_record("not a JSON object");
	}
	const auto type = json.find("type");
	if (type == json.end() || !type->is_string()) {
		return not_a_record("type: missing or not a string");
	}
	return read_any(json, type->get_ref<const std::string &>(), static_cast<const Record *>(nullptr));
}

} // namespace loopsnoop::output
