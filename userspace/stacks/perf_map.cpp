// SPDX-License-Identifier: Apache-2.0
#include "stacks/perf_map.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <string_view>
#include <tuple>

#include "elf/work_limit.h"

namespace loopsnoop::stacks {
namespace {

constexpr std::uint64_t max_parsed_bytes = 64ULL * 1024 * 1024; // at one time: of a larger file its end
constexpr std::size_t max_places = 256ULL * 1024;
constexpr std::size_t max_line_bytes = 8192;
constexpr std::size_t max_function_bytes = 1024;
constexpr std::uint32_t max_code_bytes = 16U * 1024 * 1024;
constexpr int max_tries = 4096; // entries that begin before an address and might still hold it

std::optional<std::uint64_t> take_hex(std::string_view &line) {
	std::uint64_t value = 0;
	if (line.starts_with("0x")) {
		line.remove_prefix(2);
	}
	const auto [end, problem] = std::from_chars(line.data(), line.data() + line.size(), value, 16);
	if (problem != std::errc() || end == line.data() + line.size() || *end != ' ') {
		return std::nullopt;
	}
	line.remove_prefix(static_cast<std::size_t>(end - line.data()) + 1);
	return value;
}

} // namespace

void PerfMap::clear() {
	entries_.clear();
	parsed_ = 0;
	longest_ = 0;
}

void PerfMap::update(std::shared_ptr<const foreign::File> file) {
	if (!file) {
		return;
	}
	const foreign::FileStatus &status = file->status();
	const std::uint64_t size = status.size;
	const std::int64_t changed = status.modified_ns;
	const bool same_file = status.device == device_ && status.inode == inode_;
	if (same_file && size == size_ && changed == changed_ns_) {
		return;
	}
	if (!same_file || size <= size_) {
		clear();
	}
	device_ = status.device;
	inode_ = status.inode;
	size_ = size;
	changed_ns_ = changed;
	file_ = std::move(file);
	parse_from(std::max(parsed_, size - std::min(size, max_parsed_bytes)), size);
	sort();
}

void PerfMap::parse_from(std::uint64_t offset, std::uint64_t end) {
	std::string buffer;
	bool skipping = offset != parsed_; // began in the middle of the file: not at the beginning of a line
	parsed_ = offset;
	std::string piece(64ULL * 1024, '\0');
	while (offset < end && !elf::WorkLimit::used_up()) {
		const auto wanted = std::as_writable_bytes(std::span(piece)).first(std::min<std::uint64_t>(piece.size(), end - offset));
		const std::size_t got = file_->read_some(offset, wanted);
		if (got == 0) {
			break;
		}
		offset += got;
		buffer.append(piece, 0, got);
		std::size_t begin = 0;
		for (std::size_t newline = buffer.find('\n'); newline != std::string::npos; newline = buffer.find('\n', begin)) {
			std::string_view line = std::string_view(buffer).substr(begin, newline - begin);
			const std::size_t whole = line.size();
			const auto start = take_hex(line);
			const auto length = start ? take_hex(line) : std::nullopt;
			if (!skipping && length && *length > 0 && *length <= max_code_bytes && !line.empty()) {
				entries_.push_back({*start, parsed_ + (whole - line.size()), static_cast<std::uint32_t>(*length),
				                    static_cast<std::uint32_t>(std::min(line.size(), max_function_bytes))});
				longest_ = std::max(longest_, static_cast<std::uint32_t>(*length));
			}
			skipping = false;
			parsed_ += whole + 1;
			begin = newline + 1;
		}
		buffer.erase(0, begin);
		if (buffer.size() > max_line_bytes) { // no such line: garbage
			parsed_ += buffer.size();
			buffer.clear();
			skipping = true;
		}
		if (entries_.size() > 2 * max_places) {
			sort();
		}
	}
}

void PerfMap::sort() {
	// Latest first among those with the same start: `unique` keeps the first.
	std::sort(entries_.begin(), entries_.end(),
	          [](const Entry &a, const Entry &b) { return std::tie(a.start, b.name_offset) < std::tie(b.start, a.name_offset); });
	entries_.erase(
	    std::unique(entries_.begin(), entries_.end(), [](const Entry &a, const Entry &b) { return a.start == b.start; }),
	    entries_.end());
	if (entries_.size() > max_places) {
		std::vector<std::uint64_t> ages;
		ages.reserve(entries_.size());
		for (const Entry &entry : entries_) {
			ages.push_back(entry.name_offset);
		}
		const auto oldest = ages.end() - static_cast<std::ptrdiff_t>(max_places);
		std::nth_element(ages.begin(), oldest, ages.end());
		std::erase_if(entries_, [&](const Entry &entry) { return entry.name_offset < *oldest; });
	}
	entries_.shrink_to_fit();
}

std::optional<std::string> PerfMap::find(std::uint64_t address) const {
	auto at = std::upper_bound(entries_.begin(), entries_.end(), address,
	                           [](std::uint64_t wanted, const Entry &entry) { return wanted < entry.start; });
	const Entry *found = nullptr;
	for (int tries = 0; tries < max_tries && at != entries_.begin(); ++tries) {
		--at;
		if (address - at->start >= longest_) {
			break;
		}
		if (address - at->start < at->length && (found == nullptr || at->name_offset > found->name_offset)) {
			found = &*at;
		}
	}
	if (found == nullptr) {
		return std::nullopt;
	}
	std::string name(found->name_bytes, '\0');
	if (file_->read_some(found->name_offset, std::as_writable_bytes(std::span(name))) != name.size()) {
		return std::nullopt;
	}
	return name;
}

} // namespace loopsnoop::stacks
