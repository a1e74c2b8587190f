// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <tuple>

#include "stacks/module.h"

namespace loopsnoop::stacks {

// The modules of all processes, one a file. A file is known by device, inode, time of change and size.
class ModuleCache {
public:
	static constexpr std::size_t max_modules = 96;                      // each keeps one or two descriptors open
	static constexpr std::size_t max_table_bytes = 8ULL * 1024 * 1024;  // symbols and indexes together; node alone has 3 MiB
	static constexpr std::size_t max_known_bytes = 16ULL * 1024 * 1024; // what is kept of single addresses

	// nullptr: not an ELF file that can be used (that is remembered, too).
	[[nodiscard]] std::shared_ptr<Module> open(FileOfTarget file);
	// The vdso is the same in every process of a kernel, ours included: it is read from our own memory.
	[[nodiscard]] std::shared_ptr<Module> vdso();

	// Marks a module as used by the stack in hand.
	void touch(Module &module) const { module.used(stack_number_); }
	// To be called after each use of a module: one stack may go through many files with large tables. Drops the tables of
	// others, once there is too much of them.
	void bound(const Module &in_hand);
	// To be called when a stack is done: drops what is beyond the bounds, that of the longest unused modules first.
	void finish_stack();

private:
	using Key = std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::uint64_t>;

	using Bytes = std::size_t (Module::*)() const;
	using Drop = void (Module::*)();
	void make_room();
	void bound(Bytes bytes, Drop drop, std::size_t max_bytes, const Module *spared);

	std::map<Key, std::shared_ptr<Module>> modules_;
	bool vdso_read_ = false;
	std::shared_ptr<Module> vdso_;
	std::uint64_t stack_number_ = 1;
	const Module *last_ = nullptr; // that was in hand, and what its tables took: only then anything can have grown
	std::size_t last_bytes_ = 0;
};

} // namespace loopsnoop::stacks
