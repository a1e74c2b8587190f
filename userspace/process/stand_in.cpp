// SPDX-License-Identifier: Apache-2.0
#include "process/stand_in.h"

#include <fmt/format.h>

#include <atomic>
#include <map>
#include <mutex>
#include <utility>

#include "process/pseudo_file.h"

namespace loopsnoop::process {

namespace {

struct Without {
	std::atomic<bool> any = false; // mostly there is none, and nobody waits for the lock
	std::mutex mutex;
	std::map<std::pair<std::string, std::uint32_t>, std::uint32_t> threads;
};

Without &without() {
	static Without all;
	return all;
}

bool lives(const std::string &folder) {
	constexpr std::size_t max_stat = 4096;
	const auto stat = read_pseudo_file(folder + "/stat", max_stat);
	const std::size_t end_of_name = stat ? stat->rfind(')') : std::string::npos;
	return end_of_name != std::string::npos && end_of_name + 2 < stat->size() && (*stat)[end_of_name + 2] != 'Z' &&
	       (*stat)[end_of_name + 2] != 'X';
}

} // namespace

bool goes_on_without_main(const std::string &proc_root, std::uint32_t pid) {
	const std::string tasks = fmt::format("{}/{}/task", proc_root, pid);
	std::uint32_t found = 0;
	each_number(tasks, [&](std::uint32_t tid) {
		found = tid != pid && lives(fmt::format("{}/{}", tasks, tid)) ? tid : 0;
		return found == 0;
	});
	constexpr std::size_t max_known = 4096;
	const std::scoped_lock lock(without().mutex);
	if (found == 0) {
		without().threads.erase({proc_root, pid});
		return false;
	}
	if (without().threads.size() >= max_known) {
		without().threads.clear();
	}
	without().threads[{proc_root, pid}] = found;
	without().any = true;
	return true;
}

std::uint32_t stand_in(const std::string &proc_root, std::uint32_t pid) {
	if (!without().any) {
		return pid;
	}
	for (int tries = 0; tries < 2; ++tries) {
		std::uint32_t tid = 0;
		{
			const std::scoped_lock lock(without().mutex);
			const auto known = without().threads.find({proc_root, pid});
			tid = known == without().threads.end() ? pid : known->second;
		}
		// It may have ended as well, and another one may be left.
		if (tid == pid || lives(fmt::format("{}/{}/task/{}", proc_root, pid, tid)) || !goes_on_without_main(proc_root, pid)) {
			return tid;
		}
	}
	return pid;
}

} // namespace loopsnoop::process
