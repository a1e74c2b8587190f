// SPDX-License-Identifier: Apache-2.0
#include "stacks/address_space.h"

#include <algorithm>

#include "base/clock.h"

namespace loopsnoop::stacks {
namespace {

constexpr std::uint64_t max_age_ns = 1'000'000'000;
constexpr std::uint64_t min_interval_ns = 100'000'000;

bool same_place(const process::Mapping &a, const process::Mapping &b) {
	return a.start == b.start && a.end == b.end && a.offset == b.offset && a.inode == b.inode &&
	       a.device_major == b.device_major && a.device_minor == b.device_minor && a.path == b.path;
}

} // namespace

void AddressSpace::freshen() {
	if (read_at_ns_ == 0 || monotonic_ns() - read_at_ns_ > max_age_ns) {
		read_maps();
	}
}

CodeRegion *AddressSpace::find(std::uint64_t address) {
	CodeRegion *region = lookup(address);
	if (region == nullptr && monotonic_ns() - read_at_ns_ > min_interval_ns) {
		read_maps();
		region = lookup(address);
	}
	return region;
}

CodeRegion *AddressSpace::lookup(std::uint64_t address) {
	const auto after =
	    std::upper_bound(regions_.begin(), regions_.end(), address,
	                     [](std::uint64_t wanted, const CodeRegion &region) { return wanted < region.mapping.start; });
	if (after == regions_.begin() || !std::prev(after)->mapping.contains(address)) {
		return nullptr;
	}
	return &*std::prev(after);
}

void AddressSpace::read_maps() {
	read_at_ns_ = monotonic_ns();
	auto maps = procfs_->maps(pid_);
	if (!maps || maps->empty()) {
		return;
	}
	std::vector<CodeRegion> fresh;
	const auto program = procfs_->exe(pid_);
	for (process::Mapping &mapping : *maps) {
		if (!mapping.executable) {
			continue;
		}
		CodeRegion region;
		if (CodeRegion *const known = lookup(mapping.start); known != nullptr && same_place(known->mapping, mapping)) {
			region = std::move(*known); // the old ones go
			region.mapping = std::move(mapping);
		} else {
			region.mapping = std::move(mapping);
			const bool is_program = program && region.mapping.path == program->path;
			region.known_as = is_program ? procfs_->known_path(pid_, *program) : std::string();
		}
		fresh.push_back(std::move(region));
	}
	std::sort(fresh.begin(), fresh.end(),
	          [](const CodeRegion &a, const CodeRegion &b) { return a.mapping.start < b.mapping.start; });
	regions_ = std::move(fresh);
}

std::shared_ptr<Module> AddressSpace::module_of(CodeRegion &region) {
	std::shared_ptr<Module> module = region.module.lock();
	if (!module && !region.unusable) {
		if (region.mapping.path == "[vdso]") {
			module = modules_->vdso();
		} else if (region.mapping.has_file()) {
			module = modules_->open(open_mapped(region.mapping));
		}
		region.unusable = module == nullptr;
		region.module = module;
	}
	if (module) {
		modules_->touch(*module);
	}
	return module;
}

FileOfTarget AddressSpace::open_mapped(const process::Mapping &mapping) const {
	// This link leads to the very file that is mapped, also when it is deleted or lies in another mount namespace. It asks for a
	// capability.
	auto file = foreign::File::open(procfs_->mapped_file(pid_, mapping));
	if (file || mapping.deleted) {
		return file ? std::move(*file) : nullptr;
	}
	file = foreign::File::open(procfs_->target_file(pid_, mapping.path));
	// Some file systems (btrfs, overlayfs) show one device here and another there; the inode is the same.
	return file && (*file)->status().inode == mapping.inode ? std::move(*file) : nullptr;
}

DebugSearch AddressSpace::debug_search(const CodeRegion &region) const {
	return {region.mapping.path, [this](const std::string &path) {
		        auto file = foreign::File::open(procfs_->target_file(pid_, path));
		        return file ? std::move(*file) : FileOfTarget();
	        }};
}

CodeLocation AddressSpace::locate(CodeRegion &region, std::uint64_t address) {
	CodeLocation location{module_of(region), 0};
	const auto found = location.module
	                       ? location.module->image().address_of_offset(address - region.mapping.start + region.mapping.offset)
	                       : std::nullopt;
	if (!found) {
		return {};
	}
	location.address = *found;
	return location;
}

} // namespace loopsnoop::stacks
