// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "model/session.h"
#include "output/json_fields.h"

namespace loopsnoop::output {

// The parts that several records have, out of their JSON. Unknown fields are passed over, absent ones leave the default.
void read(const Fields &from, Peer &peer);
void read(const Fields &from, SourceFrame &frame);
void read(const Fields &from, Stack &stack);
void read(const Fields &from, Holder &holder);
void read(const Fields &from, Waker &waker);
void read(const Fields &from, Wait &wait);
void read(const Fields &from, CpuPart &part);
void read(const Fields &from, GilHolding &holder);
void read(const Fields &from, GilStory &gil);
void read(const Fields &from, ThreadView &thread);
void read(const Fields &from, Breakdown &breakdown);
[[nodiscard]] std::optional<Cause> get_cause(const Fields &from); // nullopt: none is named
void get_resource(const Fields &from, std::optional<Resource> &out);

// One name of a closed list, by `name_of` of each of its values; unknown ones leave the default.
template <typename E> void get_name(const Fields &from, const char *field, std::initializer_list<E> all, E &out) {
	std::optional<std::string> name;
	from.get(field, name);
	for (const E one : all) {
		if (name && name_of(one) == *name) {
			out = one;
		}
	}
}

template <typename T> void read_list(const Fields &from, const char *name, std::vector<T> &out) {
	from.list(name, [&](const Fields &one) { read(one, out.emplace_back()); });
}

template <typename T> void read_object(const Fields &from, const char *name, std::optional<T> &out) {
	from.object(name, [&](const Fields &fields) { read(fields, out.emplace()); });
}

} // namespace loopsnoop::output
