// SPDX-License-Identifier: Apache-2.0
#include "process/cgroup_mounts.h"

#include <string_view>

#include "base/escape.h"
#include "process/pseudo_file.h"
#include "process/text.h"

namespace loopsnoop::process {

bool has_word(std::string_view list, std::string_view wanted) {
	while (!list.empty()) {
		const std::size_t comma = list.find(',');
		if (list.substr(0, comma) == wanted) {
			return true;
		}
		list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
	}
	return false;
}

// "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAGS…] - TYPE SOURCE SUPER_OPTIONS"
std::vector<CgroupMount> cgroup_mounts(const ProcFs &procfs) {
	std::vector<CgroupMount> mounts;
	each_line(procfs.root() + "/self/mountinfo", [&](std::string_view line) {
		const std::size_t dash = line.find(" - ");
		if (dash == std::string_view::npos) {
			return true;
		}
		Words type_words(line.substr(dash + 3));
		const std::string_view type = type_words.next();
		const std::string_view super_options = type_words.skip_and_next(1);
		if (type == "cgroup2" || type == "cgroup") {
			Words words(line.substr(0, dash));
			const std::string_view root = words.skip_and_next(3);
			mounts.push_back({unescape_octal(root), unescape_octal(words.next()), type == "cgroup2", std::string(super_options)});
		}
		return true;
	});
	return mounts;
}

} // namespace loopsnoop::process
