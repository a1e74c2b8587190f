// SPDX-License-Identifier: Apache-2.0
#include "foreign/bytes.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/clock.h"
#include "foreign/wire.h"

namespace loopsnoop::foreign {

namespace {

constexpr std::size_t max_blocks = 32;

struct Block {
	std::uint64_t file;
	std::uint64_t number;
	std::vector<std::byte> bytes;
};

// The most recently used first.
class Blocks {
public:
	const std::vector<std::byte> *find(std::uint64_t file, std::uint64_t number) {
		const auto found =
		    std::ranges::find_if(blocks_, [&](const Block &block) { return block.file == file && block.number == number; });
		if (found == blocks_.end()) {
			return nullptr;
		}
		blocks_.splice(blocks_.begin(), blocks_, found);
		return &found->bytes;
	}
	const std::vector<std::byte> &add(Block block) {
		if (blocks_.size() >= max_blocks) {
			blocks_.pop_back();
		}
		blocks_.push_front(std::move(block));
		return blocks_.front().bytes;
	}
	void forget(std::uint64_t file) {
		blocks_.remove_if([&](const Block &block) { return block.file == file; });
	}

private:
	std::list<Block> blocks_;
};

Blocks &blocks() {
	static Blocks all;
	return all;
}

std::uint64_t next_id() {
	static std::uint64_t last = 0;
	return ++last;
}

} // namespace

Result<std::shared_ptr<const File>> File::open(const FileName &name) {
	auto opened = access().open(name, max_piece);
	if (!opened) {
		return opened.error();
	}
	auto file = std::make_shared<const File>(std::move(opened->file), name, opened->status);
	blocks().add({file->id_, 0, std::move(opened->first)});
	return file;
}

std::shared_ptr<const File> File::of(UniqueFd file) {
	FileName name;
	name.path = "/proc/self/fd/" + std::to_string(file.get());
	struct stat found {};
	if (!file.valid() || ::fstat(file.get(), &found) != 0 || !S_ISREG(found.st_mode)) {
		return nullptr;
	}
	FileStatus status;
	status.mode = found.st_mode;
	status.owner = found.st_uid;
	status.inode = found.st_ino;
	status.device = found.st_dev;
	status.size = static_cast<std::uint64_t>(found.st_size);
	status.modified_ns = found.st_mtim.tv_sec * std::int64_t{ns_per_s} + found.st_mtim.tv_nsec;
	return std::make_shared<const File>(std::move(file), std::move(name), status);
}

File::File(UniqueFd file, FileName name, const FileStatus &status)
    : file_(std::move(file)), name_(std::move(name)), status_(status), id_(next_id()) {
	name_.device = status.device;
}

File::~File() { blocks().forget(id_); }

std::size_t File::read_some(std::uint64_t offset, std::span<std::byte> into) const {
	if (into.size() >= max_piece) {
		return access().read(file_.get(), name_, offset, into);
	}
	std::size_t done = 0;
	while (done < into.size()) {
		const std::uint64_t at = offset + done;
		const std::vector<std::byte> *block = blocks().find(id_, at / max_piece);
		if (block == nullptr) {
			std::vector<std::byte> bytes(max_piece);
			bytes.resize(access().read(file_.get(), name_, at / max_piece * max_piece, bytes));
			if (bytes.empty()) {
				break; // nothing is remembered of what may be read a moment later
			}
			block = &blocks().add({id_, at / max_piece, std::move(bytes)});
		}
		const auto within = static_cast<std::size_t>(at % max_piece);
		if (within >= block->size()) {
			break;
		}
		const std::size_t count = std::min(into.size() - done, block->size() - within);
		std::copy_n(block->begin() + static_cast<std::ptrdiff_t>(within), count,
		            into.begin() + static_cast<std::ptrdiff_t>(done));
		done += count;
	}
	return done;
}

} // namespace loopsnoop::foreign
