// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace loopsnoop {

// A failure carried as a value. The text for a person is made at the edge (`describe`), never where it happened.
struct Error {
	std::string what;   // what could not be done: "attach the sched_switch program"
	std::string on;     // on what: a path, a pid; may be empty
	int code = 0;       // errno, or 0 when the kernel gave no reason
	std::string advice; // what to do about it; may be empty

	// One line: "cannot <what> (<on>): <reason>; <advice>".
	[[nodiscard]] std::string describe() const;
};

// Takes errno as it stands at the call.
[[nodiscard]] Error errno_error(std::string what, std::string on = {}, std::string advice = {});
[[nodiscard]] Error make_error(std::string what, std::string on = {}, std::string advice = {});

} // namespace loopsnoop
