// SPDX-License-Identifier: Apache-2.0
#include "stacks/open_image.h"

#include <lzma.h>
#include <zlib.h>

#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "elf/work_limit.h"

namespace loopsnoop::stacks {
namespace {

constexpr std::uint64_t max_packed_bytes = 4ULL * 1024 * 1024;
constexpr std::size_t max_file_bytes = 8ULL * 1024 * 1024;
constexpr std::uint64_t max_unpacking_memory = 16ULL * 1024 * 1024; // xz -6 asks for 9 MiB, -9 for 65: more than all of loopsnoop
constexpr std::uint64_t max_checksummed_bytes = 256ULL * 1024 * 1024;
constexpr std::size_t max_link_name = 255;

struct DebugLink {
	std::string name;
	std::uint32_t checksum = 0;
};

std::optional<DebugLink> debug_link(const elf::Image &image) {
	const elf::Section *const section = image.section(".gnu_debuglink");
	if (section == nullptr || section->bytes < 8) {
		return std::nullopt;
	}
	DebugLink link;
	link.name = image.bytes().read_string(section->offset, std::min<std::uint64_t>(section->bytes - 4, max_link_name));
	const auto checksum = image.bytes().read<std::uint32_t>(section->offset + section->bytes - 4);
	if (link.name.empty() || link.name.find('/') != std::string::npos || !checksum) {
		return std::nullopt;
	}
	link.checksum = *checksum;
	return link;
}

bool has_checksum(const elf::ByteSource &bytes, std::uint32_t wanted) {
	if (bytes.size() > max_checksummed_bytes) {
		return false;
	}
	std::vector<std::uint8_t> piece(64ULL * 1024);
	uLong checksum = 0;
	for (std::uint64_t at = 0; at < bytes.size() && !elf::WorkLimit::used_up();) {
		const std::size_t got = bytes.read_some(at, piece);
		if (got == 0) {
			return false;
		}
		checksum = crc32(checksum, piece.data(), static_cast<uInt>(got));
		at += got;
	}
	return !elf::WorkLimit::hit() && checksum == wanted;
}

} // namespace

std::shared_ptr<const elf::Image> open_image(FileOfTarget file) {
	auto image = elf::Image::open(std::move(file));
	return image ? std::make_shared<const elf::Image>(std::move(*image)) : nullptr;
}

FileOfTarget open_ours(const std::string &path) {
	foreign::FileName name;
	name.path = path;
	auto file = foreign::File::open(name);
	return file ? std::move(*file) : nullptr;
}

std::shared_ptr<const elf::Image> find_debug_file(const elf::Image &image, const std::string &path, const OpenInTarget &open) {
	const std::array<OpenInTarget, 2> roots{open, open_ours};
	if (image.build_id().size() > 2) {
		const std::string by_id =
		    "/usr/lib/debug/.build-id/" + image.build_id().substr(0, 2) + "/" + image.build_id().substr(2) + ".debug";
		for (const OpenInTarget &root : roots) {
			if (auto found = open_image(root(by_id)); found && found->build_id() == image.build_id()) {
				return found;
			}
		}
	}
	const auto link = debug_link(image);
	const std::size_t slash = path.rfind('/');
	if (!link || slash == std::string::npos) {
		return nullptr;
	}
	const std::string directory = path.substr(0, slash);
	for (const std::string &candidate :
	     {directory + "/" + link->name, directory + "/.debug/" + link->name, "/usr/lib/debug" + directory + "/" + link->name}) {
		if (candidate == path) {
			continue;
		}
		for (const OpenInTarget &root : roots) {
			auto found = open_image(root(candidate));
			if (!found) {
				continue;
			}
			const bool both_named = !image.build_id().empty() && !found->build_id().empty();
			if (both_named ? found->build_id() == image.build_id() : has_checksum(found->bytes(), link->checksum)) {
				return found;
			}
		}
	}
	return nullptr;
}

std::shared_ptr<const elf::Image> unpack_mini_debug_info(const elf::Image &image) {
	const elf::Section *const section = image.section(".gnu_debugdata");
	if (section == nullptr || section->bytes > max_packed_bytes) {
		return nullptr;
	}
	const auto packed = image.bytes().read_bytes(section->offset, section->bytes);
	if (!packed) {
		return nullptr;
	}
	auto room = elf::UnpackedRoom::take(max_file_bytes);
	if (!room) {
		return nullptr;
	}
	lzma_stream stream = LZMA_STREAM_INIT;
	if (lzma_stream_decoder(&stream, max_unpacking_memory, 0) != LZMA_OK) {
		return nullptr;
	}
	std::vector<std::uint8_t> unpacked;
	std::vector<std::uint8_t> piece(64ULL * 1024);
	stream.next_in = packed->data();
	stream.avail_in = packed->size();
	lzma_ret state = LZMA_OK;
	while (state == LZMA_OK && unpacked.size() <= max_file_bytes && !elf::WorkLimit::used_up()) {
		stream.next_out = piece.data();
		stream.avail_out = piece.size();
		state = lzma_code(&stream, LZMA_FINISH);
		unpacked.insert(unpacked.end(), piece.begin(), piece.end() - static_cast<std::ptrdiff_t>(stream.avail_out));
	}
	lzma_end(&stream);
	if (state != LZMA_STREAM_END) {
		return nullptr;
	}
	unpacked.shrink_to_fit();
	room.reset(); // the rest of it is free again
	room = elf::UnpackedRoom::take(unpacked.size());
	auto inner = elf::Image::read(std::make_shared<elf::UnpackedBytes>(std::move(room), std::move(unpacked)));
	return inner ? std::make_shared<const elf::Image>(std::move(*inner)) : nullptr;
}

} // namespace loopsnoop::stacks
