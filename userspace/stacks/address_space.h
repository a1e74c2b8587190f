// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "process/procfs.h"
#include "stacks/module_cache.h"

namespace loopsnoop::stacks {

// One executable mapping of a process.
struct CodeRegion {
	process::Mapping mapping;
	std::string known_as;         // the file's path as people know it; empty: as it is mapped
	bool unusable = false;        // the file cannot be read or is no ELF file: not tried again
	std::weak_ptr<Module> module; // the cache owns it

	[[nodiscard]] const std::string &shown() const { return known_as.empty() ? mapping.path : known_as; }
};

// An address as its file numbers it.
struct CodeLocation {
	std::shared_ptr<Module> module; // nullptr: no file, it cannot be read, or its headers say nothing of the address
	std::uint64_t address = 0;
};

// The code of one process as it is mapped. Read again when an address is not known (dlopen), at most each 100 ms, and when the
// last reading is older than a second. What was read stays when the process is gone, so that its last stacks can still be
// resolved.
class AddressSpace {
public:
	AddressSpace(const process::ProcFs &procfs, ModuleCache &modules, std::uint32_t pid)
	    : procfs_(&procfs), modules_(&modules), pid_(pid) {}

	// To be called before a stack is walked: what `find` returns stays valid until then, or until an unknown address is asked
	// for.
	void freshen();
	// nullptr: no code there.
	[[nodiscard]] CodeRegion *find(std::uint64_t address);

	[[nodiscard]] CodeLocation locate(CodeRegion &region, std::uint64_t address);
	// For Module::place; holds on to this object.
	[[nodiscard]] DebugSearch debug_search(const CodeRegion &region) const;

private:
	void read_maps();
	[[nodiscard]] CodeRegion *lookup(std::uint64_t address);
	[[nodiscard]] std::shared_ptr<Module> module_of(CodeRegion &region);
	[[nodiscard]] FileOfTarget open_mapped(const process::Mapping &mapping) const;

	const process::ProcFs *procfs_;
	ModuleCache *modules_;
	std::uint32_t pid_;
	std::vector<CodeRegion> regions_; // by address
	std::uint64_t read_at_ns_ = 0;    // 0: never
};

} // namespace loopsnoop::stacks
