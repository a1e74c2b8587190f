// SPDX-License-Identifier: Apache-2.0
#include "base/pattern.h"

#include <array>
#include <utility>

namespace loopsnoop {

Result<Pattern> Pattern::compile(const std::string &expression) {
	auto compiled = std::make_unique<regex_t>();
	if (const int error = regcomp(compiled.get(), expression.c_str(), REG_EXTENDED | REG_NOSUB); error != 0) {
		std::array<char, 128> why{};
		regerror(error, compiled.get(), why.data(), why.size());
		return make_error("read the regular expression", "'" + expression + "'", why.data());
	}
	return Pattern(std::unique_ptr<regex_t, Free>(compiled.release()));
}

bool Pattern::matches(const std::string &text) const { return regexec(compiled_.get(), text.c_str(), 0, nullptr, 0) == 0; }

} // namespace loopsnoop
