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
			if (auto image = ElfImage::read(std::make_shared<MemoryBytes>(std::move(bytes)))) {
				vdso_ = std::make_shared<Module>(std::make_shared<const ElfImage>(std::move(*image)));
			}
		}
	}
	return vdso_;
}

void ModuleCache::finish_stack() {
	++stack_number_;
	std::size_t bytes = 0;
	for (const auto &[key, module] : modules_) {
		bytes += module ? module->table_bytes() : 0;
	}
	while (bytes > max_table_bytes) {
		Module *oldest = nullptr;
		for (const auto &[key, module] : modules_) {
			if (module && module->table_bytes() > 0 && (oldest == nullptr || module->last_used() < oldest->last_used())) {
				oldest = module.get();
			}
		}
		if (oldest == nullptr) {
			break;
		}
		bytes -= oldest->table_bytes();
		oldest->drop_tables();
	}
}

} // namespace loopsnoop::stacks
