// SPDX-License-Identifier: Apache-2.0
#include "runtimes/detect.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "elf/find_symbols.h"
#include "elf/work_limit.h"
#include "model/application.h"
#include "process/memory.h"
#include "runtimes/cpython/locate.h"
#include "runtimes/cpython/offsets.h"
#include "runtimes/go_program.h"
#include "runtimes/mapped_file.h"

namespace loopsnoop::runtimes {

namespace {

// node::per_process::metadata, of node v12 (src/node_metadata.h) to this day: begins with the std::string of Node's version.
constexpr std::string_view node_metadata = "_ZN4node11per_process8metadataE";

// "node", "nodejs", "node20"
bool is_node_name(std::string_view path) {
	std::string_view name = file_name(path);
	if (!name.starts_with("node")) {
		return false;
	}
	name.remove_prefix(4);
	return name == "js" || name.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool is_python_name(std::string_view path) {
	std::string_view name = file_name(path);
	if (!name.starts_with("python3")) {
		return false;
	}
	name.remove_prefix(7);
	return name.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::optional<std::string> node_version(const elf::Image &image, std::uint64_t bias, const process::Memory &memory) {
	constexpr std::uint64_t longest = 32;
	const auto symbol = elf::find_symbols(image, std::array{node_metadata}, elf::Tables::dynamic).front();
	// std::string of libstdc++: where the text is, how long it is. Anything else does not read as a version below.
	const auto text = memory.read_value<std::uint64_t>(bias + symbol);
	const auto length = memory.read_value<std::uint64_t>(bias + symbol + 8);
	if (symbol == 0 || !text || !length || *length > longest) {
		return std::nullopt;
	}
	auto version = memory.read_string(*text, *length);
	const bool reads_as_version = version && version->size() == *length && !version->empty() && version->front() >= '0' &&
	                              version->front() <= '9' && std::ranges::count(*version, '.') == 2;
	return reads_as_version ? version : std::nullopt;
}

struct Mapped {
	elf::Image image;
	std::uint64_t bias;
};

std::optional<Mapped> open_at(const process::ProcFs &proc, std::uint32_t pid, const process::Mapping &mapping) {
	auto image = open_mapped(proc, pid, mapping);
	const auto bias = image ? image->load_bias(mapping) : std::nullopt;
	return bias ? std::optional(Mapped{std::move(*image), *bias}) : std::nullopt;
}

Runtime of_cpython(const process::ProcFs &proc, std::uint32_t pid, const process::Memory &memory) {
	const auto location = cpython::locate(proc, pid, memory);
	return {RuntimeKind::cpython, location ? std::optional(location->version.text()) : std::nullopt};
}

// By the program's name, or by a library that is the whole runtime: others (libperl) may be there for a plug-in.
std::string language_of(const process::ProcFs &proc, std::uint32_t pid, std::string_view exe,
                        const std::vector<process::Mapping> &maps) {
	if (const std::string_view language = language_of_module(file_name(exe)); !language.empty()) {
		return std::string(language);
	}
	for (const process::Mapping &mapping : maps) {
		const std::string_view name = mapping.has_file() ? file_name(mapping.path) : std::string_view();
		if (name == "libjvm.so" || name == "libcoreclr.so") {
			return std::string(language_of_module(name));
		}
	}
	return is_go_program(proc, pid) ? std::string(go_language) : std::string();
}

} // namespace

Runtime detect(const process::ProcFs &proc, std::uint32_t pid) {
	const elf::WorkLimit limit(pid);
	const process::TargetMemory memory(pid);
	const auto maps = proc.maps(pid);
	const auto exe = proc.exe(pid);
	if (!maps || !exe) {
		return {};
	}
	const auto of_exe = [&](const process::Mapping &mapping) { return mapping.path == exe->path; };
	const auto of_libnode = [](const process::Mapping &mapping) { return mapping.has_file() && is_libnode(mapping.path); };
	const auto node = std::ranges::find_if(*maps, of_libnode);
	if (node != maps->end() || is_node_name(exe->path)) {
		const auto mapping = node != maps->end() ? node : std::ranges::find_if(*maps, of_exe);
		const auto mapped = mapping != maps->end() ? open_at(proc, pid, *mapping) : std::nullopt;
		return {RuntimeKind::node, mapped ? node_version(mapped->image, mapped->bias, memory) : std::nullopt};
	}
	const bool has_libpython = std::ranges::any_of(
	    *maps, [](const process::Mapping &mapping) { return mapping.has_file() && cpython::is_libpython(mapping.path); });
	if (has_libpython || is_python_name(exe->path)) {
		return of_cpython(proc, pid, memory);
	}
	// Linked in, under any name: both export their symbols, for extension modules.
	const auto mapping = std::ranges::find_if(*maps, of_exe);
	if (const auto mapped = mapping != maps->end() ? open_at(proc, pid, *mapping) : std::nullopt) {
		const auto symbols =
		    elf::find_symbols(mapped->image, std::array<std::string_view, 2>{"_PyRuntime", node_metadata}, elf::Tables::dynamic);
		if (symbols[0] != 0) {
			return of_cpython(proc, pid, memory);
		}
		if (symbols[1] != 0) {
			return {RuntimeKind::node, node_version(mapped->image, mapped->bias, memory)};
		}
	}
	return {RuntimeKind::native, std::nullopt, language_of(proc, pid, exe->path, *maps)};
}

std::optional<std::string> why_unreadable(const process::ProcFs &proc, std::uint32_t pid) {
	const auto location = cpython::locate(proc, pid, process::TargetMemory(pid));
	if (!location || (location->version.minor >= cpython::oldest_minor && location->version.minor <= cpython::newest_minor)) {
		return std::nullopt;
	}
	return "Python's frames, tasks and locks of pid " + std::to_string(pid) + ": CPython " + location->version.text() +
	       " is not one that loopsnoop reads (" + std::string(cpython::supported_versions) + "); native stacks remain";
}

} // namespace loopsnoop::runtimes
