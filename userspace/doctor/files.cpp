// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <elf.h>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "doctor/process.h"
#include "stacks/address_space.h"
#include "stacks/module_cache.h"
#include "stacks/open_image.h"

namespace loopsnoop::doctor {

namespace {

constexpr std::size_t max_files = 512; // of a program with more libraries than this, the rest is not examined
constexpr std::size_t max_names = 3;

// What one mapped file has of what stacks need.
struct CodeFile {
	std::string path;
	bool readable = false;
	bool frames = false;       // .eh_frame or .debug_frame, its own or its debug file's
	bool full_names = false;   // .symtab, its own, its debug file's or in .gnu_debugdata
	bool public_names = false; // .dynsym
	std::string build_id;
};

bool has_table(const elf::Image &image, std::uint32_t type) {
	return std::ranges::any_of(image.sections(),
	                           [&](const elf::Section &section) { return section.type == type && section.bytes > 0; });
}

bool has_frames(const elf::Image &image) {
	const auto *const eh_frame = image.section(".eh_frame");
	const auto *const debug_frame = image.section(".debug_frame");
	return image.eh_frame_hdr_address().has_value() || (eh_frame != nullptr && eh_frame->bytes > 0) ||
	       (debug_frame != nullptr && debug_frame->bytes > 0);
}

CodeFile read_file(stacks::AddressSpace &space, const process::Mapping &mapping, bool with_debug_file) {
	CodeFile file;
	file.path = mapping.path;
	stacks::CodeRegion *const region = space.find(mapping.start);
	const auto module = region == nullptr ? nullptr : space.locate(*region, mapping.start).module;
	if (!module) {
		return file;
	}
	const elf::Image &image = module->image();
	file.readable = true;
	file.frames = has_frames(image);
	file.full_names = has_table(image, SHT_SYMTAB);
	file.public_names = has_table(image, SHT_DYNSYM);
	file.build_id = image.build_id();
	if (with_debug_file && !file.full_names) {
		const auto search = space.debug_search(*region);
		const auto debug = stacks::find_debug_file(image, search.path, search.open);
		file.full_names = (debug && has_table(*debug, SHT_SYMTAB)) || stacks::unpack_mini_debug_info(image) != nullptr;
	}
	return file;
}

Check check_frames(const std::vector<CodeFile> &files) {
	std::string without;
	std::size_t count = 0;
	for (const CodeFile &file : files) {
		if (!file.frames) {
			count++;
			if (count <= max_names) {
				without += (without.empty() ? "" : ", ") + file.path + (file.readable ? "" : " (cannot be read)");
			}
		}
	}
	if (count > max_names) {
		without += " and " + std::to_string(count - max_names) + " more";
	}
	if (count == 0) {
		return {"frames",
		        Health::ok,
		        "call-frame information in " +
		            (files.size() == 1 ? std::string("its one file") : "all of its " + std::to_string(files.size()) + " files") +
		            ": native stacks are complete",
		        {},
		        {}};
	}
	return {"frames",
	        Health::warn,
	        "no call-frame information in " + without + ": stacks through it may end early",
	        "build it with -fasynchronous-unwind-tables or frame pointers, and do not strip .eh_frame",
	        {}};
}

Check check_symbols(const CodeFile &executable, bool native, bool replaced) {
	Check check{"symbols",
	            Health::ok,
	            "symbols of " + executable.path + (replaced ? " (replaced on disk since, read as it runs)" : ""),
	            {},
	            {}};
	check.detail = executable.build_id.empty() ? "no build ID" : "build ID " + executable.build_id;
	if (executable.full_names) {
		check.found += ": all functions";
	} else if (executable.public_names && !native) {
		check.found += ": exported functions";
	} else {
		check.health = Health::warn;
		check.found = (executable.readable ? "no symbols in " : "cannot read ") + executable.path +
		              (executable.public_names ? " but the exported ones: its other functions have no names"
		                                       : ": its functions have no names");
		check.advice = "install its debug symbols (Debian: PACKAGE-dbgsym)" +
		               (executable.build_id.empty() ? std::string() : ", build ID " + executable.build_id);
	}
	return check;
}

} // namespace

std::vector<Check> examine_files(const process::ProcFs &proc, std::uint32_t pid, bool native) {
	const auto maps = proc.maps(pid);
	const auto exe = proc.exe(pid);
	if (!maps) {
		return {};
	}
	stacks::ModuleCache cache;
	stacks::AddressSpace space(proc, cache, pid);
	space.freshen();
	std::set<std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>> seen;
	std::vector<CodeFile> files;
	std::vector<Check> checks;
	for (const process::Mapping &mapping : *maps) {
		if (!mapping.executable || !mapping.has_file() || mapping.path.starts_with("/memfd:") || files.size() == max_files ||
		    !seen.emplace(mapping.device_major, mapping.device_minor, mapping.inode).second) {
			continue;
		}
		const bool is_executable = exe && mapping.path == exe->path;
		files.push_back(read_file(space, mapping, is_executable));
		if (is_executable) {
			checks.push_back(check_symbols(files.back(), native, exe->deleted));
		}
	}
	if (!files.empty()) {
		checks.insert(checks.begin(), check_frames(files));
	}
	return checks;
}

} // namespace loopsnoop::doctor
