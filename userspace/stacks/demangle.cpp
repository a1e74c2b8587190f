// SPDX-License-Identifier: Apache-2.0
#include "stacks/demangle.h"

#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

namespace loopsnoop::stacks {
namespace {

constexpr std::size_t max_mangled = 1024;
constexpr std::size_t max_shown = 2048;

// A reference ("S1_", "T0_") repeats something earlier, so k of them can make the result 3^(k/3) times as long, and the demangler
// of the C++ runtime has no limit for it. 36 allow some ten megabytes for a moment, made only by someone who wants it.
constexpr int max_references = 36;

bool may_explode(std::string_view mangled) {
	int references = 0;
	for (std::size_t i = 0; i + 1 < mangled.size(); ++i) {
		if (mangled[i] == 'S' || mangled[i] == 'T') {
			const std::size_t end = mangled.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", i + 1);
			references += end != std::string_view::npos && mangled[end] == '_' && end - i <= 4 ? 1 : 0;
		} else if ((mangled[i] == 'D' || mangled[i] == 's') && mangled[i + 1] == 'p') {
			references += 6; // a pack expansion repeats its pattern for each element
		}
	}
	return references > max_references;
}

bool is_rust_hash(std::string_view text) {
	return text.size() == 17 && text.front() == 'h' && text.find_first_not_of("0123456789abcdef", 1) == std::string_view::npos;
}

void replace_all(std::string &text, std::string_view from, std::string_view to) {
	for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
		text.replace(at, from.size(), to);
	}
}

// Rust's older mangling writes what an identifier may not hold between dollars (rustc_symbol_mangling/src/legacy.rs).
void decode_rust(std::string &text) {
	constexpr std::array<std::pair<std::string_view, std::string_view>, 17> escapes{{
	    {"_$", "$"},
	    {"$SP$", "@"},
	    {"$BP$", "*"},
	    {"$RF$", "&"},
	    {"$LT$", "<"},
	    {"$GT$", ">"},
	    {"$LP$", "("},
	    {"$RP$", ")"},
	    {"$C$", ","},
	    {"$u20$", " "},
	    {"$u27$", "'"},
	    {"$u5b$", "["},
	    {"$u5d$", "]"},
	    {"$u7b$", "{"},
	    {"$u7d$", "}"},
	    {"$u7e$", "~"},
	    {"..", "::"},
	}};
	for (const auto &[from, to] : escapes) {
		replace_all(text, from, to);
	}
}

} // namespace

std::string demangle(const std::string &name) {
	std::string shown = name;
	if (name.starts_with("_Z") && name.size() <= max_mangled && !may_explode(name)) {
		int status = 0;
		const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status),
		                                                       &std::free);
		if (status == 0 && text != nullptr) {
			shown.assign(text.get(), std::min(max_shown, std::char_traits<char>::length(text.get())));
			const std::size_t last = shown.rfind("::");
			if (last != std::string::npos && is_rust_hash(std::string_view(shown).substr(last + 2))) {
				shown.resize(last);
				decode_rust(shown);
			}
		}
	}
	if (shown.size() > max_shown) {
		shown.resize(max_shown);
	}
	return shown;
}

} // namespace loopsnoop::stacks
