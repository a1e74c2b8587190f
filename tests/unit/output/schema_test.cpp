// SPDX-License-Identifier: Apache-2.0
// The schema file has the fields that the lists of fields have: each of them, no other, and the same ones always there.
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <typeinfo>
#include <variant>
#include <vector>

#include "catch.h"
#include "output/record_fields.h"
#include "output/tasks_fields.h"

using namespace loopsnoop;
using namespace loopsnoop::output;
using nlohmann::json;

namespace {

const json &schema_file() {
	static const json schema = json::parse(std::ifstream(LOOPSNOOP_SCHEMA));
	return schema;
}

// Goes through references, lists and "or null", down to the object or the scalar that is meant.
const json &resolved(const json &schema) {
	if (const auto at = schema.find("$ref"); at != schema.end()) {
		return resolved(schema_file().at(json::json_pointer(at->get<std::string>().substr(1))));
	}
	if (const auto at = schema.find("anyOf"); at != schema.end()) {
		return resolved(at->at(0));
	}
	if (const auto at = schema.find("items"); at != schema.end()) {
		return resolved(*at);
	}
	return schema;
}

// Of which the lists of fields can be gone through; those that go through another optional need it set.
template <typename T> T sample() {
	T value{};
	if constexpr (std::is_same_v<T, Restarts>) {
		value.ended_by.emplace();
	}
	return value;
}

std::string differences; // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): of one test

// A visitor that visits what may be there, too, and compares each name with the schema of the object.
class SchemaComparer {
public:
	static constexpr bool reading = false;

	SchemaComparer(const json &schema, std::string place, std::vector<std::string> inside)
	    : schema_(resolved(schema)), place_(std::move(place)), inside_(std::move(inside)) {
		if (schema_.contains("properties") && schema_.value("additionalProperties", true)) {
			differences += place_ + " is open; ";
		}
	}
	SchemaComparer(const SchemaComparer &) = delete;
	SchemaComparer &operator=(const SchemaComparer &) = delete;
	~SchemaComparer() {
		const json properties = schema_.value("properties", json::object());
		for (const auto &[name, value] : properties.items()) {
			if (!seen_.contains(name)) {
				differences += place_ + '.' + name + " is in the schema only; ";
			}
		}
	}

	template <typename T> void field(std::string_view name, const T &value) { see<T>(name, true, value); }
	template <typename T> void required(std::string_view name, const T &value) { see<T>(name, true, value); }
	template <typename T> void field_if(bool /*present*/, std::string_view name, const T &value) { see<T>(name, false, value); }
	template <typename T> void optional(std::string_view name, const T &value) { see<T>(name, false, value); }
	template <typename T> void or_null(std::string_view name, const T &value) { see<T>(name, true, value); }
	template <typename T> void or_null_if(bool /*is_null*/, std::string_view name, const T &value) { see<T>(name, true, value); }
	template <typename T> void hexadecimal(std::string_view name, const T & /*number*/) { see(name, true, 0); }
	template <typename T> void optional_hexadecimal(std::string_view name, const T & /*number*/) { see(name, false, 0); }
	template <typename T> void constant(std::string_view name, const T & /*value*/) { see(name, true, 0); }
	void either(std::string_view name, bool /*value*/, std::string_view if_true, std::string_view if_false,
	            Unknown /*of the reader*/) {
		see(name, true, 0);
		const json words = property(name).value("enum", json::array());
		if (words != json{if_true, if_false} && words != json{if_false, if_true}) {
			differences += place_ + '.' + std::string(name) + " has other words; ";
		}
	}
	template <typename... Kinds> bool kind(std::string_view /*name*/, const std::variant<Kinds...> & /*kinds*/) {
		(compare_kind<Kinds>(), ...);
		if (schema_.value("oneOf", json::array()).size() != sizeof...(Kinds)) {
			differences += place_ + " has other kinds; ";
		}
		return false; // they were all seen
	}
	template <typename Members> void object_or_null(std::string_view name, bool /*present*/, Members members) {
		see(name, true, 0);
		SchemaComparer inner(property(name), place_ + '.' + std::string(name), inside_);
		members(inner);
	}

private:
	const json &property(std::string_view name) const {
		static const json none = json::object();
		const auto properties = schema_.find("properties");
		const auto at = properties == schema_.end() ? schema_.end() : properties->find(name);
		return properties == schema_.end() || at == properties->end() ? none : resolved(*at);
	}

	template <typename Kind> void compare_kind() {
		for (const json &one : schema_.value("oneOf", json::array())) {
			if (resolved(one).value("/properties/kind/const"_json_pointer, std::string()) == kind_name<Kind>) {
				SchemaComparer inner(one, place_ + '(' + std::string(kind_name<Kind>) + ')', inside_);
				inner.constant("kind", kind_name<Kind>);
				const Kind value{};
				fields(inner, value);
				return;
			}
		}
		differences += place_ + " lacks the kind " + std::string(kind_name<Kind>) + "; ";
	}

	template <typename T> void see(std::string_view name, bool always, const T &value) {
		const json required = schema_.value("required", json::array());
		const bool is_required = std::find(required.begin(), required.end(), name) != required.end();
		seen_.insert(std::string(name));
		const std::string place = place_ + '.' + std::string(name);
		if (!schema_.value("properties", json::object()).contains(name)) {
			differences += place + " is not in the schema; ";
		} else if (is_required != always) {
			differences += place + (always ? " is always there, says the code; " : " may be absent, says the code; ");
		}
		descend(name, value);
	}
	template <typename T> void descend(std::string_view name, const std::optional<T> & /*value*/) { descend(name, sample<T>()); }
	template <typename T> void descend(std::string_view name, const std::vector<T> & /*value*/) { descend(name, sample<T>()); }
	template <typename T> void descend(std::string_view name, const T &value) {
		const std::string type = typeid(T).name();
		if constexpr (std::is_enum_v<T>) {
			compare_names<T>(name);
		} else if constexpr (!std::is_arithmetic_v<T> && !std::is_convertible_v<T, std::string_view>) {
			if (std::find(inside_.begin(), inside_.end(), type) == inside_.end()) { // resources hold resources
				std::vector<std::string> inside = inside_;
				inside.push_back(type);
				SchemaComparer inner(property(name), place_ + '.' + std::string(name), std::move(inside));
				fields(inner, value);
			}
		}
	}

	template <typename E> void compare_names(std::string_view name) {
		if constexpr (!all_values<E>.empty()) {
			std::set<std::string> in_schema;
			for (const json &word : property(name).value("enum", json::array())) {
				in_schema.insert(word.is_null() ? "" : word.get<std::string>());
			}
			std::set<std::string> in_code;
			for (const E value : all_values<E>) {
				in_code.insert(std::string(name_of(value)));
			}
			in_schema.erase("");
			if (in_schema != in_code) {
				differences += place_ + '.' + std::string(name) + " has other names; ";
			}
		}
	}

	const json &schema_;
	std::string place_;
	std::vector<std::string> inside_; // types that this object is part of
	std::set<std::string> seen_;
};

template <typename T> void compare() {
	REQUIRE(schema_file()["$defs"].contains(std::string(record_type<T>)));
	const std::string type(record_type<T>);
	SchemaComparer comparer(schema_file()["$defs"][type], type, {});
	comparer.constant("type", type);
	const T record{};
	fields(comparer, record);
}

template <typename... Records> void compare_all(const std::variant<Records...> * /*of these*/) { (compare<Records>(), ...); }

// Written, and not read back: no alternative of Record.
void compare_tasks() {
	SchemaComparer comparer(schema_file()["$defs"]["tasks"], "tasks", {});
	comparer.constant("type", "tasks");
	const TaskSnapshot snapshot;
	fields(comparer, snapshot);
}

} // namespace

TEST_CASE("the schema has the fields of every record, and no others") {
	differences.clear();
	compare_all(static_cast<const Record *>(nullptr));
	compare_tasks();
	CHECK(differences == "");
}

TEST_CASE("the comparison of schema and code finds what differs") {
	differences.clear();
	{
		const json shorter =
		    json::parse(R"({"required":["pid"],"additionalProperties":false,"properties":{"pid":{},"gone":{}}})");
		SchemaComparer comparer(shorter, "peer", {});
		const Peer peer;
		fields(comparer, peer);
	}
	CHECK(differences == "peer.comm is not in the schema; peer.name is not in the schema; peer.gone is in the schema only; ");
	differences.clear();
	{
		json schema = schema_file()["$defs"]["holder"];
		schema["properties"]["how"]["enum"] = {"owner field", "guessed"};
		schema["required"] = {"tid", "how"};
		SchemaComparer comparer(schema, "holder", {});
		const Holder holder;
		fields(comparer, holder);
	}
	CHECK(differences == "holder.thread is always there, says the code; holder.how has other words; ");
}
