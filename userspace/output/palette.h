// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace loopsnoop::output {

// Colours by what they say. Off: the text as it is, without one escape sequence.
struct Palette {
	bool on = false;

	[[nodiscard]] std::string strong(std::string_view text) const { return paint("1", text); }
	[[nodiscard]] std::string faint(std::string_view text) const { return paint("2", text); }
	[[nodiscard]] std::string alarm(std::string_view text) const { return paint("1;31", text); }
	[[nodiscard]] std::string cause(std::string_view text) const { return paint("33", text); }
	[[nodiscard]] std::string good(std::string_view text) const { return paint("32", text); }

private:
	[[nodiscard]] std::string paint(std::string_view code, std::string_view text) const {
		if (!on) {
			return std::string(text);
		}
		std::string out = "\x1b[";
		out.append(code).append("m").append(text).append("\x1b[0m");
		return out;
	}
};

} // namespace loopsnoop::output
