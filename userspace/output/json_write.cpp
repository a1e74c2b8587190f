// SPDX-License-Identifier: Apache-2.0
#include <variant>

#include "output/json.h"
#include "output/json_writer.h"
#include "output/record_fields.h"

namespace loopsnoop::output {

namespace {

constexpr std::size_t usual_line_bytes = 4096; // a stall with one wait; longer ones make the string grow

struct WriteRecord {
	std::string &line;

	template <typename T> void operator()(const T &record) const {
		static_assert(!record_type<T>.empty(), "name it in record_traits.h");
		JsonWriter writer(line);
		writer.constant("type", record_type<T>);
		fields(writer, record);
	}
};

} // namespace

std::string to_json_line(const Record &record) {
	std::string line;
	line.reserve(usual_line_bytes);
	std::visit(WriteRecord{line}, record);
	return line;
}

} // namespace loopsnoop::output
