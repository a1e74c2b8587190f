// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/locate.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "elf/find_symbols.h"
#include "elf/work_limit.h"
#include "runtimes/cpython/offsets.h"
#include "runtimes/mapped_file.h"

namespace loopsnoop::runtimes::cpython {

namespace {

constexpr std::size_t max_constants = 32UL << 20U; // bytes of .rodata that are searched for a version

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The number at the beginning of `text`, 255 at most; it must be followed by `end`.
std::optional<std::uint8_t> leading_number(std::string_view text, char end) {
	std::uint8_t number = 0;
	const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
	if (error != std::errc{} || rest == text.data() + text.size() || *rest != end) {
		return std::nullopt;
	}
	return number;
}

// "python3.9" and "libpython3.9.so.1.0" give 9.
std::optional<std::uint8_t> minor_in_name(std::string_view name) {
	constexpr std::string_view stem = "python3.";
	const std::size_t at = name.find(stem);
	if (at == std::string_view::npos) {
		return std::nullopt;
	}
	std::uint8_t minor = 0;
	const std::string_view rest = name.substr(at + stem.size());
	return std::from_chars(rest.data(), rest.data() + rest.size(), minor).ec == std::errc{} ? std::optional(minor) : std::nullopt;
}

// Every place of `stem` in `constants` that a number and a NUL follow gives that number; nullopt when they are not all the same.
// "13.9.2" and "0.3.9.2" are no 3.9.2.
std::optional<std::uint8_t> only_number_after(std::string_view constants, std::string_view stem) {
	std::optional<std::uint8_t> found;
	for (std::size_t at = constants.find(stem); at != std::string_view::npos; at = constants.find(stem, at + 1)) {
		if (at > 0 && (is_digit(constants[at - 1]) || (constants[at - 1] == '.' && is_digit(stem.front())))) {
			continue;
		}
		const auto number = leading_number(constants.substr(at + stem.size()), '\0');
		if (number && found && *number != *found) {
			return std::nullopt;
		}
		found = number ? number : found;
	}
	return found;
}

// Before 3.11 nothing in the process says the version outright.
std::optional<std::pair<Version, VersionFrom>> version_in_constants(const elf::Image &image, std::string_view name) {
	std::vector<std::uint8_t> bytes;
	if (const auto section = image.section(".rodata")) {
		bytes = image.contents(*section, max_constants);
	}
	const std::string_view constants(reinterpret_cast<const char *>(bytes.data()), bytes.size());
	auto minor = minor_in_name(name);
	if (!minor) {
		minor = only_number_after(constants, "python3."); // the folder of the library
	}
	if (!minor) {
		return std::nullopt;
	}
	Version version{3, *minor, only_number_after(constants, "3." + std::to_string(*minor) + "."), {}};
	return std::pair(version, version.micro ? VersionFrom::strings : VersionFrom::file_name);
}

struct Symbols {
	std::uint64_t runtime; // these three at run time; 0: not known
	std::uint64_t version;
	std::uint64_t code_type;
};

// nullopt: no CPython.
std::optional<Symbols> symbols_of(const elf::Image &image, std::uint64_t bias) {
	constexpr std::array<std::string_view, 3> names{"_PyRuntime", "Py_Version", "PyCode_Type"};
	auto found = elf::find_symbols(image, names, elf::Tables::all);
	if (const auto section = found[0] == 0 ? image.section(".PyRuntime") : nullptr) {
		found[0] = section->address; // v3.13 Include/internal/pycore_runtime.h
	}
	if (found[0] == 0) {
		return std::nullopt;
	}
	const auto at_run_time = [&](std::uint64_t address) { return address != 0 ? bias + address : 0; };
	return Symbols{bias + found[0], at_run_time(found[1]), at_run_time(found[2])};
}

std::optional<Location> locate_in(const elf::Image &image, const Symbols &symbols, std::string_view name,
                                  const process::Memory &memory) {
	Location location;
	location.runtime = symbols.runtime;
	location.code_type = symbols.code_type;
	if (const auto described = self_described(memory, location.runtime)) {
		location.version = described->version;
		location.version_from = VersionFrom::runtime;
		return location;
	}
	if (symbols.version != 0) {
		const auto version = version_from_hex(memory.read_value<std::uint64_t>(symbols.version).value_or(0));
		if (!version) {
			return std::nullopt;
		}
		location.version = *version;
		location.version_from = VersionFrom::symbol;
		return location;
	}
	auto version = version_in_constants(image, name);
	if (!version) {
		return std::nullopt;
	}
	std::tie(location.version, location.version_from) = std::move(*version);
	return location;
}

} // namespace

bool is_libpython(std::string_view path) {
	const std::string_view name = file_name(path);
	return name.starts_with("libpython3") && name.find(".so") != std::string_view::npos;
}

std::optional<Location> locate(const process::ProcFs &proc, std::uint32_t pid, const process::Memory &memory,
                               FilesWithout *without) {
	const elf::WorkLimit limit(pid);
	std::optional<Location> location;
	const auto is_it = [&](const elf::Image &image, std::uint64_t bias, std::string_view path) {
		const auto symbols = symbols_of(image, bias);
		location = symbols ? locate_in(image, *symbols, file_name(path), memory) : std::nullopt;
		return location ? FileHas::runtime : symbols ? FileHas::nothing_yet : FileHas::nothing;
	};
	any_runtime_file(proc, pid, is_libpython, is_it, without);
	return location;
}

} // namespace loopsnoop::runtimes::cpython
