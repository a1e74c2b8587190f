// SPDX-License-Identifier: Apache-2.0
#include "process/descriptor_search.h"

#include <fmt/format.h>

#include "process/pseudo_file.h"

namespace loopsnoop::process {

std::optional<std::uint32_t> DescriptorSearch::search_process(std::uint32_t pid, const Match &match, SteadyTime deadline) const {
	const std::string folder = procfs_.path_of(pid, "fd");
	std::optional<std::uint32_t> found;
	std::uint32_t examined = 0;
	each_number(folder, [&](std::uint32_t fd) {
		if (++examined % 64 == 0 && std::chrono::steady_clock::now() >= deadline) { // one process may have a million open
			return false;
		}
		const auto link = read_link(fmt::format("{}/{}", folder, fd));
		if (link && match(pid, fd, *link)) {
			found = fd;
		}
		return !found;
	});
	return found;
}

DescriptorSearch::Found DescriptorSearch::search(std::uint32_t last, const Match &match, SteadyTime deadline) const {
	Found found;
	for (const std::uint32_t pid : procfs_.pids()) {
		if (std::chrono::steady_clock::now() >= deadline) {
			break;
		}
		if (pid == last) {
			continue;
		}
		if (const auto fd = search_process(pid, match, deadline)) {
			found.pid = pid;
			found.fd = *fd;
			break;
		}
	}
	if (found.pid == 0 && std::chrono::steady_clock::now() < deadline) {
		if (const auto fd = search_process(last, match, deadline)) {
			found.pid = last;
			found.fd = *fd;
		}
	}
	found.when = std::chrono::steady_clock::now();
	return found;
}

bool DescriptorSearch::still_there(const Found &found, std::uint32_t last, const Match &match) const {
	if (found.pid == 0 || found.pid == last) {
		// Nobody, or nobody else: a better answer may have come up since.
		if (std::chrono::steady_clock::now() - found.when >= miss_lifetime_) {
			return false;
		}
	}
	if (found.pid == 0) {
		return true;
	}
	const auto link = read_link(procfs_.path_of(found.pid, fmt::format("fd/{}", found.fd)));
	return link && match(found.pid, found.fd, *link);
}

std::optional<std::uint32_t> DescriptorSearch::find(const std::string &key, std::uint32_t last, const Match &match,
                                                    SteadyTime deadline) {
	const std::string full_key = fmt::format("{}/{}", last, key);
	auto known = remembered_.find(full_key);
	if (known == remembered_.end() || !still_there(known->second, last, match)) {
		if (remembered_.size() >= entries_) {
			remembered_.clear();
		}
		known = remembered_.insert_or_assign(full_key, search(last, match, deadline)).first;
	}
	return known->second.pid != 0 ? std::optional(known->second.pid) : std::nullopt;
}

} // namespace loopsnoop::process
