// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <regex.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace loopsnoop {

// A POSIX extended regular expression that may match anywhere in a text, as pgrep has it.
class Pattern {
public:
	// The Error says what is wrong with the expression.
	[[nodiscard]] static Result<Pattern> compile(const std::string &expression);
	[[nodiscard]] bool matches(const std::string &text) const;

private:
	struct Free {
		void operator()(regex_t *compiled) const {
			regfree(compiled);
			std::default_delete<regex_t>{}(compiled);
		}
	};
	explicit Pattern(std::unique_ptr<regex_t, Free> compiled) : compiled_(std::move(compiled)) {}
	std::unique_ptr<regex_t, Free> compiled_;
};

} // namespace loopsnoop
