// SPDX-License-Identifier: Apache-2.0
#include "stacks/demangle.h"

#define HAVE_DECL_BASENAME 1 // <cstring> declares it as C++ has it, libiberty.h would as C has it
#include <libiberty/demangle.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace loopsnoop::stacks {
namespace {

constexpr std::size_t max_mangled = 1024;
constexpr std::size_t max_shown = 2048;

// A reference ("S1_", "T0_"; in Rust's newer mangling "B1_") repeats something earlier, so k of them can make the result 3^(k/3)
// times as long. libiberty bounds how deep it recurses (DMGL_NO_RECURSE_LIMIT is not set), not how much it writes. 36 allow some
// ten megabytes for a moment, made only by someone who wants it.
constexpr int max_v0_references = 36;

bool may_explode(std::string_view mangled) {
	const bool rust = mangled.starts_with("_R");
	int references = 0;
	for (std::size_t i = 0; i + 1 < mangled.size(); ++i) {
		const bool refers = rust ? mangled[i] == 'B' : mangled[i] == 'S' || mangled[i] == 'T';
		if (refers) {
			const std::string_view digits =
			    rust ? "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" : "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
			const std::size_t end = mangled.find_first_not_of(digits, i + 1);
			references += end != std::string_view::npos && mangled[end] == '_' && end - i <= 4 ? 1 : 0;
		} else if (!rust && (mangled[i] == 'D' || mangled[i] == 's') && mangled[i + 1] == 'p') {
			references += 6; // a pack expansion repeats its pattern for each element
		}
	}
	return references > max_v0_references;
}

using Text = std::unique_ptr<char, decltype(&std::free)>;

// Rust's older mangling is C++'s, with a hash at the end: it is asked for first.
Text unmangled(const std::string &name) {
	Text rust(rust_demangle(name.c_str(), DMGL_NO_OPTS), &std::free);
	return rust ? std::move(rust) : Text(cplus_demangle_v3(name.c_str(), DMGL_PARAMS | DMGL_ANSI), &std::free);
}

} // namespace

std::string demangle(const std::string &name) {
	const bool mangled = name.starts_with("_Z") || name.starts_with("_R");
	std::string shown = name.substr(0, max_shown);
	if (!mangled || name.size() > max_mangled || name.find('\0') != std::string::npos || may_explode(name)) {
		return shown;
	}
	if (const Text text = unmangled(name)) {
		shown.assign(text.get(), std::min(max_shown, std::char_traits<char>::length(text.get())));
	}
	// What LLVM appends to a local function that it made global means nothing to people.
	if (const std::size_t suffix = std::min(shown.find(" [clone .llvm."), shown.find(".llvm.")); suffix != std::string::npos) {
		shown.resize(suffix);
	}
	return shown;
}

} // namespace loopsnoop::stacks
