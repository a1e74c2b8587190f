// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/code_cache.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <utility>

#include "runtimes/cpython/objects.h"

namespace loopsnoop::runtimes::cpython {

namespace {

constexpr std::size_t max_codes = 4096;
constexpr std::size_t max_name = 1024; // characters
constexpr std::size_t max_filename = 4096;
constexpr std::size_t max_line_table = 256UL << 10U; // bytes; a module of 20,000 lines has about a tenth of it

} // namespace

std::optional<CodeCache::Fingerprint> CodeCache::read_fingerprint(const process::Memory &memory, std::uint64_t code) const {
	std::array<std::byte, 256> bytes{};
	const std::size_t wanted = std::max({offsets_.code.filename, offsets_.code.name, offsets_.code.line_table,
	                                     offsets_.code.first_line, offsets_.object.type, offsets_.object.var_size}) +
	                           sizeof(std::uint64_t);
	if (code == 0 || wanted > bytes.size() || !memory.read(code, std::span(bytes).first(wanted))) {
		return std::nullopt;
	}
	const auto take = [&bytes](std::uint32_t offset, auto &value) { std::memcpy(&value, bytes.data() + offset, sizeof value); };
	Fingerprint found;
	take(offsets_.object.type, found.type);
	take(offsets_.code.filename, found.filename);
	take(offsets_.code.name, found.name);
	take(offsets_.code.line_table, found.line_table);
	take(offsets_.code.first_line, found.first_line);
	if (offsets_.code.instructions) {
		take(offsets_.object.var_size, found.size);
	}
	if (code_type_ != 0 && found.type != code_type_) {
		return std::nullopt;
	}
	return found;
}

std::optional<int> CodeCache::line_of(const Code &code, const PythonFrameRef &frame) const {
	if (!code.line_table) {
		return std::nullopt;
	}
	std::int64_t offset = 0;
	if (offsets_.frames.instruction_is_index) {
		offset = std::int64_t{static_cast<std::int32_t>(frame.instruction)} * offsets_.code.instruction_unit;
	} else {
		offset = static_cast<std::int64_t>(frame.instruction - frame.code - offsets_.code.instructions.value_or(0));
		// One unit before the first: a frame that was only just made. Anything else outside belongs to other code.
		if (offset < -2 || (offset >= 0 && static_cast<std::uint64_t>(offset) / 2 >= code.fingerprint.size)) {
			return std::nullopt;
		}
	}
	return line_at(offsets_.code.line_format, *code.line_table, code.fingerprint.first_line, offset);
}

std::atomic<std::size_t> CodeCache::bytes_of_all_ = 0;

std::size_t CodeCache::bytes_of(const Code &code) {
	constexpr std::size_t entry = 64; // what the table takes for it besides
	return entry + sizeof(Code) + code.name.capacity() + code.filename.capacity() +
	       (code.line_table ? code.line_table->capacity() : 0);
}

void CodeCache::forget(std::uint64_t address) {
	if (const auto known = codes_.find(address); known != codes_.end()) {
		bytes_.remove(bytes_of(known->second));
		codes_.erase(known);
	}
}

void CodeCache::keep(std::uint64_t address, Code code) {
	forget(address);
	const std::size_t bytes = bytes_of(code);
	if (codes_.size() >= max_codes || bytes_.mine() + bytes > max_bytes || bytes_.all() + bytes > max_bytes_of_all) {
		// A program that makes code all the time, or has large code; what is in use comes back with the next stacks.
		codes_.clear();
		bytes_.clear();
	}
	if (bytes_.all() + bytes > max_bytes_of_all) {
		return; // others have all of it: it is read each time
	}
	bytes_.add(bytes);
	codes_.insert_or_assign(address, std::move(code));
}

void CodeCache::prefetch(const PageCache &pages, std::span<const PythonFrameRef> frames) const {
	constexpr std::size_t of_code = 256;
	constexpr std::size_t of_text = 512; // most names and line tables are shorter
	std::vector<std::uint64_t> addresses;
	for (const PythonFrameRef &frame : frames) {
		addresses.push_back(frame.code);
	}
	pages.prefetch(addresses, of_code);
	addresses.clear();
	for (const PythonFrameRef &frame : frames) {
		const auto fingerprint = read_fingerprint(pages, frame.code);
		const auto known = codes_.find(frame.code);
		if (fingerprint && (known == codes_.end() || known->second.fingerprint != *fingerprint)) {
			addresses.insert(addresses.end(), {fingerprint->name, fingerprint->filename, fingerprint->line_table});
		}
	}
	pages.prefetch(addresses, of_text);
}

SourceFrame CodeCache::resolve(const process::Memory &memory, const PythonFrameRef &frame) {
	const auto fingerprint = read_fingerprint(memory, frame.code);
	if (!fingerprint) {
		forget(frame.code);
		return {"?", {}, std::nullopt};
	}
	if (const auto known = codes_.find(frame.code); known != codes_.end() && known->second.fingerprint == *fingerprint) {
		return {known->second.name, known->second.filename, line_of(known->second, frame)};
	}
	auto name = read_unicode(memory, offsets_, fingerprint->name, max_name);
	auto filename = read_unicode(memory, offsets_, fingerprint->filename, max_filename);
	if (!name || !filename) {
		forget(frame.code);
		return {name.value_or("?"), filename.value_or(""), std::nullopt};
	}
	Code code{*fingerprint, std::move(*name), std::move(*filename),
	          read_bytes(memory, offsets_, fingerprint->line_table, max_line_table)};
	SourceFrame found{code.name, code.filename, line_of(code, frame)};
	keep(frame.code, std::move(code));
	return found;
}

} // namespace loopsnoop::runtimes::cpython
