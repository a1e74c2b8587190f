// SPDX-License-Identifier: Apache-2.0
#include "stacks/module_cache.h"

#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>

#include "process/memory.h"
#include "process/procfs.h"

namespace loopsnoop::stacks {

std::shared_ptr<Module> ModuleCache::open(FileOfTarget file) {
	if (!file) {
		return nullptr;
	}
	const foreign::FileStatus &status = file->status();
	const Key key{status.device, status.inode, status.modified_ns, status.size};
	if (const auto known = modules_.find(key); known != modules_.end()) {
		return known->second;
	}
	make_room();
	auto image = open_image(std::move(file));
	auto module = image ? std::make_shared<Module>(std::move(image)) : nullptr;
	if (module) {
		touch(*module);
	}
	return modules_.emplace(key, std::move(module)).first->second;
}

void ModuleCache::make_room() {
	if (modules_.size() < max_modules) {
		return;
	}
	const auto age = [](const auto &slot) { return slot.second ? slot.second->last_used() : 0; };
	modules_.erase(
	    std::min_element(modules_.begin(), modules_.end(), [&](const auto &a, const auto &b) { return age(a) < age(b); }));
}

std::shared_ptr<Module> ModuleCache::vdso() {
	if (vdso_read_) {
		return vdso_;
	}
	vdso_read_ = true;
	const auto address = static_cast<std::uint64_t>(getauxval(AT_SYSINFO_EHDR));
	const auto self = static_cast<std::uint32_t>(getpid());
	const auto maps = process::ProcFs().maps(self);
	if (address == 0 || !maps) {
		return nullptr;
	}
	for (const process::Mapping &mapping : *maps) {
		if (mapping.start != address || mapping.end - mapping.start > 64ULL * 1024) {
			continue;
		}
		std::vector<std::uint8_t> bytes(mapping.end - mapping.start);
		if (process::TargetMemory(self).read(address, std::as_writable_bytes(std::span(bytes)))) {
			if (auto image = elf::Image::read(std::make_shared<elf::MemoryBytes>(std::move(bytes)))) {
				vdso_ = std::make_shared<Module>(std::make_shared<const elf::Image>(std::move(*image)));
			}
		}
	}
	return vdso_;
}

void ModuleCache::bound(Bytes bytes, Drop drop, std::size_t max_bytes, const Module *spared) {
	std::size_t sum = 0;
	for (const auto &[key, module] : modules_) {
		sum += module ? (*module.*bytes)() : 0;
	}
	while (sum > max_bytes) {
		Module *oldest = nullptr;
		for (const auto &[key, module] : modules_) {
			if (module && module.get() != spared && (*module.*bytes)() > 0 &&
			    (oldest == nullptr || module->last_used() < oldest->last_used())) {
				oldest = module.get();
			}
		}
		if (oldest == nullptr) {
			break;
		}
		sum -= (*oldest.*bytes)();
		(*oldest.*drop)();
	}
}

void ModuleCache::bound(const Module &in_hand) {
	const std::size_t bytes = in_hand.table_bytes();
	if (&in_hand != last_ || bytes != last_bytes_) {
		bound(&Module::table_bytes, &Module::drop_tables, max_table_bytes, &in_hand);
	}
	last_ = &in_hand;
	last_bytes_ = bytes;
}

void ModuleCache::finish_stack() {
	++stack_number_;
	last_ = nullptr;
	bound(&Module::table_bytes, &Module::drop_tables, max_table_bytes, nullptr);
	bound(&Module::known_bytes, &Module::drop_known, max_known_bytes, nullptr);
}

} // namespace loopsnoop::stacks
