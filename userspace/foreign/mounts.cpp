// SPDX-License-Identifier: Apache-2.0
#include "foreign/mounts.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <memory>

#include "base/escape.h"
#include "base/unique_fd.h"

namespace loopsnoop::foreign {

namespace {

constexpr std::size_t max_mountinfo = 4ULL * 1024 * 1024;

// Files of /proc alone: reading them waits for nobody.
std::string read_proc(const std::string &path, std::size_t max_bytes) {
	const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
	std::string text;
	std::array<char, 16384> piece{};
	while (file.valid() && text.size() < max_bytes) {
		const ssize_t got = ::read(file.get(), piece.data(), piece.size());
		if (got <= 0) {
			break;
		}
		text.append(piece.data(), static_cast<std::size_t>(got));
	}
	return text;
}

std::string_view take_word(std::string_view &rest) {
	const std::size_t end = rest.find(' ');
	const std::string_view word = rest.substr(0, end);
	rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
	return word;
}

template <typename T> std::optional<T> number(std::string_view word) {
	T value{};
	const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), value);
	return problem == std::errc() && end == word.data() + word.size() ? std::optional(value) : std::nullopt;
}

bool is_below(std::string_view path, std::string_view folder) {
	return (folder == "/" && path.starts_with('/')) ||
	       (path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/'));
}

template <typename Visit> void each_entry(const std::string &folder, const Visit &visit) {
	const auto close = [](DIR *dir) { ::closedir(dir); };
	const std::unique_ptr<DIR, decltype(close)> dir(::opendir(folder.c_str()), close);
	while (const dirent *entry =
	           dir ? ::readdir(dir.get()) : nullptr) { // NOLINT(concurrency-mt-unsafe): the stream is ours alone
		if (const auto value = number<std::uint32_t>(static_cast<const char *>(entry->d_name)); value && !visit(*value)) {
			break;
		}
	}
}

bool serves(std::uint32_t pid, std::uint64_t connection) {
	bool found = false;
	int left = 4096; // of its descriptors: a server opens that one early
	const std::string process = "/proc/" + std::to_string(pid);
	each_entry(process + "/fd", [&](std::uint32_t fd) {
		std::array<char, PATH_MAX> target{};
		const ssize_t size = ::readlink((process + "/fd/" + std::to_string(fd)).c_str(), target.data(), target.size());
		if (size > 0 && std::string_view(target.data(), static_cast<std::size_t>(size)) == "/dev/fuse") {
			constexpr std::size_t longest = 4096;
			const std::string wanted = "fuse_connection:\t" + std::to_string(connection) + "\n";
			found = read_proc(process + "/fdinfo/" + std::to_string(fd), longest).find(wanted) != std::string::npos;
		}
		return !found && --left > 0;
	});
	return found;
}

} // namespace

std::optional<Mount> parse_mount(std::string_view line) {
	Mount mount;
	const auto id = number<std::uint32_t>(take_word(line));
	(void)take_word(line); // of the parent
	const std::string_view device = take_word(line);
	const std::size_t colon = device.find(':');
	const auto device_major = number<unsigned>(device.substr(0, colon));
	const auto device_minor = colon == std::string_view::npos ? std::nullopt : number<unsigned>(device.substr(colon + 1));
	(void)take_word(line); // what of the file system is there
	mount.point = unescape_octal(take_word(line));
	const std::size_t separator = line.find(" - ");
	if (!id || !device_major || !device_minor || mount.point.empty() || separator == std::string_view::npos) {
		return std::nullopt;
	}
	line.remove_prefix(separator + 3);
	mount.id = *id;
	mount.device = makedev(*device_major, *device_minor);
	mount.type = unescape_octal(take_word(line));
	mount.source = unescape_octal(take_word(line));
	return mount;
}

std::vector<Mount> read_mounts(const std::string &mountinfo_path) {
	std::vector<Mount> mounts;
	const std::string text = read_proc(mountinfo_path, max_mountinfo);
	std::string_view rest = text;
	while (!rest.empty()) {
		const std::size_t end = rest.find('\n');
		if (auto mount = parse_mount(rest.substr(0, end))) {
			mounts.push_back(std::move(*mount));
		}
		rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
	}
	return mounts;
}

const Mount *mount_of_path(const std::vector<Mount> &mounts, std::string_view path) {
	const Mount *found = nullptr;
	for (const Mount &mount : mounts) {
		// Of several at one point the last one covers the others.
		if (is_below(path, mount.point) && (found == nullptr || mount.point.size() >= found->point.size())) {
			found = &mount;
		}
	}
	return found;
}

const Mount *mount_of_device(const std::vector<Mount> &mounts, std::uint64_t device) {
	const auto found = std::ranges::find(mounts, device, &Mount::device);
	return found == mounts.end() ? nullptr : &*found;
}

bool needs_a_server(std::string_view type) {
	constexpr std::array<std::string_view, 14> kinds{"nfs",  "nfs4", "cifs",  "smb3",   "9p",       "ceph",   "afs",
	                                                 "coda", "gfs2", "ocfs2", "lustre", "virtiofs", "beegfs", "autofs"};
	return type.starts_with("fuse") || std::ranges::find(kinds, type) != kinds.end();
}

std::optional<std::uint32_t> fuse_server(const Mount &mount) {
	std::optional<std::uint32_t> found;
	if (mount.type.starts_with("fuse")) {
		each_entry("/proc", [&](std::uint32_t pid) {
			if (serves(pid, minor(mount.device))) {
				found = pid;
			}
			return !found;
		});
	}
	return found;
}

std::string describe(const Mount &mount) {
	const bool has_source = !mount.source.empty() && mount.source != "none" && mount.source != mount.type;
	return mount.type + (has_source ? " " + mount.source : "") + " (mounted at " + mount.point + ")";
}

} // namespace loopsnoop::foreign
