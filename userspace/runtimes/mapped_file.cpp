// SPDX-License-Identifier: Apache-2.0
#include "runtimes/mapped_file.h"

#include <string>
#include <utility>

#include "elf/work_limit.h"

namespace loopsnoop::runtimes {

std::optional<elf::Image> open_mapped(const process::ProcFs &proc, std::uint32_t pid, const process::Mapping &mapping) {
	if (!mapping.has_file()) {
		return std::nullopt;
	}
	auto file = foreign::File::open(proc.mapped_file(pid, mapping)); // the very file, whatever its path leads to by now
	if (!file) {
		const auto exe = proc.exe(pid);
		if (exe && exe->path == mapping.path) {
			file = foreign::File::open(proc.program_file(pid));
		}
	}
	if (!file && !mapping.deleted) {
		file = foreign::File::open(proc.target_file(pid, mapping.path));
	}
	return file ? elf::Image::open(std::move(*file)) : std::nullopt;
}

bool any_runtime_file(const process::ProcFs &proc, std::uint32_t pid, bool (*is_library)(std::string_view path),
                      const std::function<FileHas(const elf::Image &image, std::uint64_t bias, std::string_view path)> &is_it,
                      FilesWithout *without) {
	const elf::WorkLimit limit(pid);
	const auto maps = proc.maps(pid);
	const auto exe = proc.exe(pid);
	if (!maps) {
		return false;
	}
	for (const bool library : {true, false}) {
		std::string tried;
		for (const process::Mapping &mapping : *maps) {
			const bool wanted = library ? is_library(mapping.path) : exe && mapping.path == exe->path;
			if (!wanted || !mapping.has_file() || mapping.path == tried) {
				continue;
			}
			tried = mapping.path; // its other mappings lead to the same file
			if (without != nullptr && without->has(mapping)) {
				continue;
			}
			const auto image = open_mapped(proc, pid, mapping);
			const auto bias = image ? image->load_bias(mapping) : std::nullopt;
			const FileHas has = bias ? is_it(*image, *bias, mapping.path) : FileHas::nothing_yet;
			if (has == FileHas::runtime) {
				return true;
			}
			if (elf::WorkLimit::used_up()) {
				return false;
			}
			if (has == FileHas::nothing && without != nullptr) {
				without->add(mapping);
			}
		}
	}
	return false;
}

} // namespace loopsnoop::runtimes
