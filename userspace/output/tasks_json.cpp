// SPDX-License-Identifier: Apache-2.0
#include "output/tasks_json.h"

#include "output/json_writer.h"
#include "output/tasks_fields.h"

namespace loopsnoop::output {

std::string to_json_line(const TaskSnapshot &snapshot) {
	std::string line;
	{
		JsonWriter writer(line); // writes the closing brace as it goes
		writer.constant("type", "tasks");
		fields(writer, snapshot);
	}
	return line;
}

} // namespace loopsnoop::output
