// SPDX-License-Identifier: Apache-2.0
#include "stacks/kernel_symbols.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <tuple>

#include "arch/cpu.h"
#include "base/unique_fd.h"

namespace loopsnoop::stacks {
namespace {

constexpr std::size_t max_kernel_symbols = 1'000'000; // kernels have 120,000 to 250,000
constexpr std::size_t max_names_bytes = 32ULL * 1024 * 1024;
constexpr std::size_t max_name = 512; // KSYM_NAME_LEN (include/linux/kallsyms.h)
constexpr std::uint64_t max_function_bytes = 1024ULL * 1024;

// Of several names of one address.
bool better(std::string_view name, std::string_view than) {
	const auto rank = [](std::string_view text) {
		return std::tuple(std::min(text.find_first_not_of('_'), text.size()), text.size(), text);
	};
	return rank(name) < rank(than);
}

} // namespace

void KernelSymbols::load() {
	if (loaded_) {
		return;
	}
	loaded_ = true;
	const UniqueFd fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
	std::string buffer;
	std::string piece(64ULL * 1024, '\0');
	while (fd.valid() && building_.size() < max_kernel_symbols && names_.size() < max_names_bytes) {
		const ssize_t got = read(fd.get(), piece.data(), piece.size());
		if (got <= 0) {
			break;
		}
		buffer.append(piece, 0, static_cast<std::size_t>(got));
		std::size_t begin = 0;
		for (std::size_t newline = buffer.find('\n'); newline != std::string::npos; newline = buffer.find('\n', begin)) {
			take_line(std::string_view(buffer).substr(begin, newline - begin));
			begin = newline + 1;
		}
		buffer.erase(0, begin);
		if (buffer.size() > piece.size()) { // no line is that long
			break;
		}
	}
	finish();
}

// "ffffffff81000000 T _stext", modules' with "\t[module]" behind.
void KernelSymbols::take_line(std::string_view line) {
	std::uint64_t address = 0;
	const auto [end, problem] = std::from_chars(line.data(), line.data() + line.size(), address, 16);
	line.remove_prefix(static_cast<std::size_t>(end - line.data()));
	if (problem != std::errc() || line.size() < 4 || line[0] != ' ' || line[2] != ' ') {
		return;
	}
	const char type = line[1];
	line.remove_prefix(3);
	const std::string_view name = line.substr(0, line.find_first_of("\t "));
	const bool code = type == 't' || type == 'T' || type == 'w' || type == 'W';
	if (address == 0) {
		hidden_ = hidden_ || code;
		return;
	}
	if (address < arch::kernel_code_base || name.empty() || name.size() > max_name) {
		return;
	}
	if (!code) {
		if (building_.empty() || building_.back().name != no_function || building_.back().address > address) {
			building_.push_back({address, no_function});
		}
		return;
	}
	building_.push_back({address, static_cast<std::uint32_t>(names_.size())});
	names_.append(name).push_back('\0');
}

void KernelSymbols::finish() {
	const auto name_at = [&](std::uint32_t offset) { return std::string_view(names_.c_str() + offset); };
	std::sort(building_.begin(), building_.end(), [](const Symbol &a, const Symbol &b) { return a.address < b.address; });
	hidden_ = hidden_ && building_.empty();
	low_.reserve(building_.size());
	name_.reserve(building_.size());
	for (std::size_t i = 0; i < building_.size();) {
		const std::uint64_t address = building_[i].address;
		std::uint32_t best = no_function;
		for (; i < building_.size() && building_[i].address == address; ++i) {
			const std::uint32_t name = building_[i].name;
			if (name != no_function && (best == no_function || better(name_at(name), name_at(best)))) {
				best = name;
			}
		}
		// Of a run of data only its beginning matters: it ends the function before.
		if (best != no_function || (!name_.empty() && name_.back() != no_function)) {
			low_.push_back(static_cast<std::uint32_t>(address - arch::kernel_code_base));
			name_.push_back(best);
		}
	}
	building_ = {};
	low_.shrink_to_fit();
	name_.shrink_to_fit();
	names_.shrink_to_fit();
}

KernelFrame KernelSymbols::find(std::uint64_t address) {
	load();
	KernelFrame frame;
	frame.offset = address;
	if (address < arch::kernel_code_base) {
		return frame;
	}
	const auto after = std::upper_bound(low_.begin(), low_.end(), static_cast<std::uint32_t>(address - arch::kernel_code_base));
	if (after == low_.begin()) {
		return frame;
	}
	const auto index = static_cast<std::size_t>(std::prev(after) - low_.begin());
	const std::uint64_t offset = address - arch::kernel_code_base - low_[index];
	if (name_[index] != no_function && offset < max_function_bytes) {
		frame.function = names_.c_str() + name_[index];
		frame.offset = offset;
	}
	return frame;
}

bool KernelSymbols::hidden() {
	load();
	return hidden_;
}

std::size_t KernelSymbols::size() {
	load();
	return low_.size();
}

std::size_t KernelSymbols::bytes() const { return low_.capacity() * 4 + name_.capacity() * 4 + names_.capacity(); }

} // namespace loopsnoop::stacks
