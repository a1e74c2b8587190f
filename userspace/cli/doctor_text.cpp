// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_text.h"

#include "base/escape.h"

namespace loopsnoop::cli {

namespace {

constexpr std::size_t max_sentence_columns = 1000; // a sentence with a path or two

// All of four columns and two blanks: colour must not move what follows.
std::string label(doctor::Health health, const output::Palette &palette) {
	switch (health) {
	case doctor::Health::ok: return palette.good("ok") + "    ";
	case doctor::Health::warn: return palette.cause("warn") + "  ";
	case doctor::Health::fail: break;
	}
	return palette.alarm("FAIL") + "  ";
}

} // namespace

std::string doctor_text(const std::vector<doctor::Check> &checks, Verbosity verbosity, const output::Palette &palette) {
	std::string text;
	for (const doctor::Check &check : checks) {
		if (verbosity == Verbosity::quiet && check.health == doctor::Health::ok) {
			continue;
		}
		const std::string sentence = check.found + (check.advice.empty() ? "" : "; " + check.advice);
		text += label(check.health, palette) + printable(sentence, max_sentence_columns) + "\n";
		if (verbosity == Verbosity::verbose && !check.detail.empty()) {
			text += "      " + palette.faint(printable(check.detail, max_sentence_columns)) + "\n";
		}
	}
	const doctor::Conclusion conclusion = doctor::conclude(checks);
	const std::string sentence = printable(conclusion.sentence, max_sentence_columns);
	return text + (conclusion.works ? palette.strong(sentence) : palette.alarm(sentence)) + "\n";
}

} // namespace loopsnoop::cli
