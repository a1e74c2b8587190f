// SPDX-License-Identifier: Apache-2.0
#include "foreign/access.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <utility>

#include "base/clock.h"
#include "foreign/wire.h"

namespace loopsnoop::foreign {

namespace {

Question question_of(Action action, const FileName &name) {
	Question question;
	question.action = action;
	question.pid = name.pid;
	question.root = name.root;
	question.path = name.path;
	return question;
}

Error no_answer(const Unanswered &dead) {
	return {"read " + (dead.path.empty() ? "memory" : dead.path), {}, ETIMEDOUT, dead.sentence()};
}

std::string comm_of(std::uint32_t pid) {
	std::string name;
	std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
	std::getline(file, name);
	return name;
}

std::unique_ptr<Access> &installed() {
	static std::unique_ptr<Access> one = std::make_unique<Access>();
	return one;
}

} // namespace

Access::Access() = default;
Access::Access(Helpers helpers) : helpers_(std::move(helpers)) {}

void Access::hurry_by(int descriptor) {
	const std::scoped_lock lock(mutex_);
	if (helpers_) {
		helpers_->hurry_by(descriptor);
	}
}

void Access::hurry() {
	constexpr std::uint64_t in_all_ns = 200'000'000;
	const std::scoped_lock lock(mutex_);
	left_ns_ = left_ns_.value_or(in_all_ns);
}

void Access::collect_late() {
	if (helpers_ && dead_.any()) {
		for (const Helpers::Late &late : helpers_->take_late()) {
			late.answered ? dead_.answered(late.question) : dead_.died(late.question, monotonic_ns());
		}
		dead_.forget_expired(monotonic_ns());
	}
}

std::optional<Answer> Access::ask(const Question &question, std::span<std::byte> into, std::uint64_t &given_up) {
	if (!helpers_) {
		return perform(question, into);
	}
	const std::uint64_t before = monotonic_ns();
	const std::uint64_t left = budget_.left_ns(question.pid, before);
	if (left < TimeBudget::free_ns || left_ns_ == 0U) {
		unanswered_++;
		return std::nullopt;
	}
	auto outcome = helpers_->ask(question, into, std::min({deadline_ns, left + TimeBudget::free_ns, left_ns_.value_or(~0ULL)}));
	const std::uint64_t after = monotonic_ns();
	// Of an answer, what it took there: on a host whose CPUs are all taken, a question waits for one each way.
	const std::uint64_t took_ns = outcome.answer ? outcome.answer->took_ns : after - before;
	budget_.charge(question.pid, took_ns, after);
	took_ns_ += took_ns;
	if (left_ns_) {
		left_ns_ = *left_ns_ - std::min(*left_ns_, took_ns);
	}
	// Who was given no more than a moment, because somebody wants an end, is not called dead.
	const bool cut_short = left >= deadline_ns && after - before < deadline_ns / 2;
	given_up = cut_short ? 0 : outcome.given_up;
	unanswered_ += outcome.answer ? 0 : 1;
	return std::move(outcome.answer);
}

// A file system that is dead answers for none of its files. Which one a path is on is asked only while one is known to be dead.
const Unanswered *Access::known_dead(const FileName &name) const {
	if (!dead_.any()) {
		return nullptr;
	}
	if (const auto *dead = dead_.path(name.pid, name.name())) {
		return dead;
	}
	if (name.device != 0) {
		return dead_.device(name.device);
	}
	const auto mounts = read_mounts(name.mountinfo.empty() ? "/proc/self/mountinfo" : name.mountinfo);
	const Mount *const mount = mount_of_path(mounts, name.name());
	return mount == nullptr ? nullptr : dead_.device(mount->device);
}

void Access::remember(std::uint64_t question, const FileName &name) {
	Unanswered dead;
	dead.pid = name.pid;
	dead.path = name.name();
	dead.since_ns = monotonic_ns();
	const auto mounts = read_mounts(name.mountinfo.empty() ? "/proc/self/mountinfo" : name.mountinfo);
	const Mount *mount = name.device != 0 ? mount_of_device(mounts, name.device) : nullptr;
	if (mount == nullptr) {
		mount = mount_of_path(mounts, name.name());
	}
	// By the path's text alone: a link of a healthy disk may have led to the dead one. So only what has a server is given up on
	// as a whole.
	if (mount != nullptr && needs_a_server(mount->type)) {
		dead.device = mount->device;
		dead.file_system = describe(*mount);
		dead.server_pid = fuse_server(*mount);
		dead.server_comm = dead.server_pid ? comm_of(*dead.server_pid) : std::string();
	}
	dead_.add(question, std::move(dead));
}

std::optional<Answer> Access::ask_of_file(const FileName &name, const Question &question, std::span<std::byte> into, Error &why) {
	collect_late();
	if (const Unanswered *dead = known_dead(name)) {
		unanswered_++;
		why = no_answer(*dead);
		return std::nullopt;
	}
	std::uint64_t given_up = 0;
	auto answer = ask(question, into, given_up);
	if (!answer && given_up != 0) {
		remember(given_up, name);
	}
	if (!answer) {
		const Unanswered *const dead = given_up != 0 ? known_dead(name) : nullptr;
		why = dead != nullptr
		          ? no_answer(*dead)
		          : Error{"read", name.name(), ETIMEDOUT, "it did not answer in time, or keeps loopsnoop waiting too long"};
		return std::nullopt;
	}
	if (answer->error != 0) {
		why = {"open a file of process " + std::to_string(name.pid), name.name(), answer->error, {}};
		return std::nullopt;
	}
	return answer;
}

Result<OpenedFile> Access::open(const FileName &name, std::size_t first_bytes) {
	const std::scoped_lock lock(mutex_);
	OpenedFile opened;
	opened.first.resize(std::min(first_bytes, max_piece));
	Error why;
	auto answer = ask_of_file(name, question_of(Action::open, name), opened.first, why);
	if (!answer) {
		return why;
	}
	opened.first.resize(answer->bytes);
	opened.status = answer->status;
	opened.file = std::move(answer->file);
	return opened;
}

Result<FileStatus> Access::status(const FileName &name) {
	const std::scoped_lock lock(mutex_);
	Error why;
	const auto answer = ask_of_file(name, question_of(Action::status, name), {}, why);
	if (!answer) {
		return why;
	}
	return answer->status;
}

std::size_t Access::read(int file, const FileName &name, std::uint64_t offset, std::span<std::byte> into) {
	const std::scoped_lock lock(mutex_);
	std::size_t done = 0;
	while (done < into.size()) {
		Question question = question_of(Action::read, name);
		question.root.clear();
		question.path.clear();
		question.offset = offset + done;
		question.file = file;
		Error why;
		const auto answer = ask_of_file(name, question, into.subspan(done, std::min(max_piece, into.size() - done)), why);
		if (!answer || answer->bytes == 0) {
			break;
		}
		done += answer->bytes;
	}
	return done;
}

Result<std::string> Access::text(const FileName &name, std::size_t max_bytes) {
	auto opened = open(name, std::min(max_bytes, max_piece));
	if (!opened) {
		return opened.error();
	}
	std::string text(reinterpret_cast<const char *>(opened->first.data()), opened->first.size());
	FileName file = name;
	file.device = opened->status.device;
	const bool whole = text.size() < std::min(max_bytes, max_piece);
	while (!whole && text.size() < max_bytes) {
		const std::size_t before = text.size();
		text.resize(std::min(max_bytes, before + max_piece));
		const auto piece = std::as_writable_bytes(std::span(text)).subspan(before);
		const std::size_t got = read(opened->file.get(), file, before, piece);
		text.resize(before + got);
		if (got < piece.size()) {
			break;
		}
	}
	return text;
}

std::size_t Access::ask_for_memory(Question &question, std::uint64_t begin, std::uint64_t end, std::span<std::byte> into) {
	question.action = Action::memory;
	collect_late();
	if (dead_.any() && dead_.memory(question.pid, begin, end) != nullptr) {
		unanswered_++;
		return 0;
	}
	std::uint64_t given_up = 0;
	const auto answer = ask(question, into, given_up);
	if (given_up != 0) {
		Unanswered dead;
		dead.pid = question.pid;
		dead.begin = begin;
		dead.end = end;
		dead.since_ns = monotonic_ns();
		dead_.add(given_up, std::move(dead));
	}
	return answer ? answer->bytes : 0;
}

std::size_t Access::memory(std::uint32_t pid, std::uint64_t address, std::span<std::byte> into) {
	const std::scoped_lock lock(mutex_);
	return read_from(pid, address, into);
}

std::size_t Access::read_from(std::uint32_t pid, std::uint64_t address, std::span<std::byte> into) {
	std::size_t done = 0;
	while (done < into.size()) {
		const std::span piece = into.subspan(done, std::min(max_piece, into.size() - done));
		const std::uint64_t from = address + done;
		if (from < address) {
			break;
		}
		Question question;
		question.pid = pid;
		question.offset = from;
		const std::size_t got = ask_for_memory(question, from, from + piece.size(), piece);
		done += got;
		if (got < piece.size()) {
			break;
		}
	}
	return done;
}

// As many as fit into one answer, which begins with a byte for each that says whether it was read.
void Access::ask_for_pieces(std::uint32_t pid, std::span<MemoryPiece> pieces) {
	Question question;
	question.pid = pid;
	std::size_t bytes = 0;
	std::uint64_t begin = ~0ULL;
	std::uint64_t end = 0;
	for (const MemoryPiece &piece : pieces) {
		question.ranges.push_back({piece.address, piece.into.size()});
		bytes += piece.into.size();
		begin = std::min(begin, piece.address);
		end = std::max(end, piece.address + piece.into.size());
	}
	std::vector<std::byte> answer(pieces.size() + bytes);
	// Of places that lie far apart one does not answer: all between them counts.
	if (ask_for_memory(question, begin, end, answer) < answer.size()) {
		return;
	}
	std::size_t at = pieces.size();
	for (std::size_t i = 0; i < pieces.size(); i++) {
		MemoryPiece &piece = pieces[i];
		piece.read = answer[i] != std::byte{0};
		if (piece.read) {
			std::copy_n(answer.begin() + static_cast<std::ptrdiff_t>(at), piece.into.size(), piece.into.begin());
		}
		at += piece.into.size();
	}
}

void Access::memory(std::uint32_t pid, std::span<MemoryPiece> pieces) {
	const std::scoped_lock lock(mutex_);
	while (!pieces.empty()) {
		std::size_t count = 0;
		for (std::size_t bytes = 0; count < std::min(pieces.size(), max_ranges); count++) {
			bytes += pieces[count].into.size();
			if (bytes > max_piece) {
				break;
			}
		}
		if (count == 0) { // larger than one answer
			pieces[0].read = read_from(pid, pieces[0].address, pieces[0].into) == pieces[0].into.size();
			count = 1;
		} else {
			ask_for_pieces(pid, pieces.first(count));
		}
		pieces = pieces.subspan(count);
	}
}

std::string Access::socket_protocol(std::uint32_t pid, const std::string &link) {
	const std::scoped_lock lock(mutex_);
	std::array<char, 32> protocol{};
	FileName name;
	name.pid = pid;
	name.path = link;
	Error why;
	const auto answer = ask_of_file(name, question_of(Action::socket_protocol, name),
	                                std::as_writable_bytes(std::span(protocol)).first(protocol.size() - 1), why);
	return answer ? std::string(protocol.data()) : std::string();
}

std::vector<Unanswered> Access::unanswered() {
	const std::scoped_lock lock(mutex_);
	collect_late();
	return dead_.history();
}

std::uint64_t Access::questions_unanswered() {
	const std::scoped_lock lock(mutex_);
	return unanswered_;
}

std::uint64_t Access::time_of_questions_ns() {
	const std::scoped_lock lock(mutex_);
	return took_ns_;
}

std::size_t Access::helpers_given_up() {
	const std::scoped_lock lock(mutex_);
	return helpers_ ? helpers_->given_up() : 0;
}

Access &access() { return *installed(); }

Result<void> start_helpers() {
	auto helpers = Helpers::start();
	if (!helpers) {
		return helpers.error();
	}
	installed() = std::make_unique<Access>(std::move(*helpers));
	return {};
}

void stop_helpers() { installed() = std::make_unique<Access>(); }

} // namespace loopsnoop::foreign
