// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/asyncio/workers.h"

#include <algorithm>
#include <functional>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "model/application.h"

namespace loopsnoop::runtimes::cpython::asyncio {

namespace {

constexpr std::size_t max_words = 32; // of a frame's locals
constexpr std::size_t max_tids = 16;
constexpr std::size_t max_places = 4;
constexpr std::size_t max_queued = 4096; // calls of one executor that are looked through
constexpr std::uint64_t max_threads = 1'000'000;

enum class Role : std::uint8_t { none, executors_call, executors_thread, anyios_call, trios_call };

Role role_of(const SourceFrame &frame) {
	const std::string_view name = std::string_view(frame.function).substr(frame.function.rfind('.') + 1);
	if (frame.file.ends_with("/concurrent/futures/thread.py")) {
		return name == "run" ? Role::executors_call : name == "_worker" ? Role::executors_thread : Role::none;
	}
	if (frame.file.ends_with("/anyio/_backends/_asyncio.py")) {
		return name == "run" ? Role::anyios_call : Role::none;
	}
	const bool trio = frame.file.ends_with("/trio/_threads.py");
	return trio && (name == "worker_fn" || name == "worker_thread_fn") ? Role::trios_call : Role::none;
}

// The locals of a frame, cells and free variables among them.
std::vector<std::uint64_t> locals_of(const process::Memory &memory, const Offsets &offsets, const PlacedFrame &placed) {
	const std::uint64_t begin = placed.address + offsets.frame.locals;
	std::uint64_t count = 0;
	if (offsets.coroutine.form >= CoroutineForm::embedded_with_depth) {
		count = memory.read_value<std::uint32_t>(placed.frame.code + offsets.code.locals).value_or(0);
	} else { // they end where the frame's stack begins
		const std::uint64_t end = memory.read_value<std::uint64_t>(placed.address + offsets.coroutine.stack).value_or(begin);
		count = (end - std::min(begin, end)) / sizeof(std::uint64_t);
	}
	std::vector<std::uint64_t> words(std::min<std::uint64_t>(count, max_words));
	const std::size_t got = memory.read_some(begin, std::as_writable_bytes(std::span(words)));
	words.resize(got / sizeof(std::uint64_t));
	for (std::uint64_t &word : words) {
		word &= offsets.frames.pointer_mask;
	}
	return words;
}

bool same_place(const std::optional<SourceFrame> &a, const std::optional<SourceFrame> &b) {
	return a.has_value() == b.has_value() && (!a || (a->function == b->function && a->file == b->file && a->line == b->line));
}

// What the frame of a call says of the task that waits for it.
std::vector<std::uint64_t> words_of(ObjectReader &reader, Role role, std::vector<std::uint64_t> locals) {
	if (role == Role::executors_call) {
		const std::uint64_t future = locals.empty() ? 0 : reader.attribute(locals.front(), "future").value_or(0);
		return future != 0 ? std::vector{future} : std::vector<std::uint64_t>();
	}
	if (role == Role::trios_call) {
		std::erase_if(locals, [&](std::uint64_t word) { return reader.type_name(word) != "cell"; });
	}
	return locals;
}

// _queue.SimpleQueue, Modules/_queuemodule.c: a list of which the first `lst_pos` are taken, since 3.13 a ring.
std::vector<std::uint64_t> queue_items(ObjectReader &reader, std::uint64_t queue) {
	constexpr std::uint64_t list = 32;
	constexpr std::uint64_t list_taken = 40;
	struct Ring {
		std::uint64_t put = 0, get = 0, items = 0, capacity = 0, count = 0;
	};
	constexpr std::uint64_t ring_at = 24;
	if (reader.type_name(queue) != "_queue.SimpleQueue") {
		return {};
	}
	if (const std::uint64_t items = reader.word(queue + list); reader.type_name(items) == "list") {
		const std::uint64_t taken = reader.word(queue + list_taken);
		auto found = taken < max_queued ? reader.items(items, max_queued + taken) : std::vector<std::uint64_t>();
		found.erase(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(taken, found.size())));
		return found;
	}
	const auto ring = reader.memory().read_value<Ring>(queue + ring_at);
	std::vector<std::uint64_t> found;
	if (!ring || ring->count > ring->capacity || ring->get >= ring->capacity || !ObjectReader::may_be_object(ring->items)) {
		return found;
	}
	for (std::uint64_t i = 0; i < std::min<std::uint64_t>(ring->count, max_queued); ++i) {
		found.push_back(reader.word(ring->items + (ring->get + i) % ring->capacity * sizeof(std::uint64_t)));
	}
	return found;
}

} // namespace

void Workers::read(ObjectReader &reader, const PageCache &cache, CodeCache &codes, std::span<const ThreadState> threads) {
	const Offsets &offsets = reader.offsets();
	for (const ThreadState &thread : threads) {
		if (cache.exhausted()) {
			break;
		}
		Worker worker;
		worker.state = thread;
		PlacedFrame call;
		Role role = Role::none;
		for (const PlacedFrame &placed : walk_frames(cache, offsets.frames, thread.address)) {
			SourceFrame frame = codes.resolve(cache, placed.frame);
			const Role its = role_of(frame);
			if (role == Role::none && its == Role::none) {
				worker.stack.push_back(std::move(frame));
			} else if (role == Role::none && its != Role::executors_thread) {
				// Since 3.14 a method of that name which has no future is in between.
				worker.words = words_of(reader, its, locals_of(cache, offsets, placed));
				role = worker.words.empty() ? Role::none : its;
				call = placed;
			} else if (role == Role::executors_call && its == Role::executors_thread) {
				// Its first argument is a weak reference to the executor.
				const auto locals = locals_of(cache, offsets, placed);
				const std::uint64_t executor = locals.empty() ? 0 : reader.word(locals.front() + after_head);
				worker.executor = reader.is_a(executor, "ThreadPoolExecutor") ? executor : 0;
				break;
			}
		}
		if (worker.words.empty()) {
			continue;
		}
		// The same call still, in the same frame.
		const auto code = cache.now().read_value<std::uint64_t>(call.address + offsets.frames.frame_code);
		const PageCache now(cache.now());
		ObjectReader reader_now(now, offsets);
		if ((code.value_or(0) & offsets.frames.pointer_mask) == call.frame.code &&
		    words_of(reader_now, role, locals_of(now, offsets, call)) == worker.words) {
			std::erase_if(worker.stack, is_init_cleanup);
			workers_.push_back(std::move(worker));
		}
	}
}

const Worker *Workers::making(std::uint64_t word) const {
	const auto found = std::ranges::find_if(
	    workers_, [&](const Worker &worker) { return word != 0 && std::ranges::find(worker.words, word) != worker.words.end(); });
	return found != workers_.end() ? &*found : nullptr;
}

std::optional<Executor> Workers::executor(ObjectReader &reader, std::uint64_t address) {
	if (address == 0) {
		return std::nullopt;
	}
	const auto [known, fresh] = executors_.try_emplace(address);
	if (!fresh) {
		return known->second;
	}
	const auto size = reader.integer(reader.attribute(address, "_max_workers").value_or(0));
	if (!size || *size == 0 || *size > max_threads) {
		return std::nullopt;
	}
	Executor executor;
	executor.size = *size;
	for (const Worker &worker : workers_) {
		if (worker.executor != address) {
			continue;
		}
		executor.busy++;
		const SourceFrame *own = innermost_application_frame(worker.stack);
		own = own == nullptr && !worker.stack.empty() ? &worker.stack.front() : own;
		const auto culprit = own != nullptr ? std::optional(*own) : std::nullopt;
		auto place = std::ranges::find_if(executor.places, [&](const WorkersAt &at) { return same_place(at.culprit, culprit); });
		if (place == executor.places.end()) {
			place = executor.places.insert(place, WorkersAt{0, culprit, {}});
		}
		place->count++;
		if (place->tids.size() < max_tids && worker.tid != 0) {
			place->tids.push_back(worker.tid);
		}
	}
	std::ranges::stable_sort(executor.places, std::ranges::greater(), &WorkersAt::count);
	executor.places.resize(std::min(executor.places.size(), max_places));
	executor.queued = queue_items(reader, reader.attribute(address, "_work_queue").value_or(0)).size();
	return known->second = std::move(executor);
}

void Workers::read_queues(ObjectReader &reader) {
	queues_read_ = true;
	std::set<std::uint64_t> executors;
	for (const Worker &worker : workers_) {
		if (worker.executor == 0 || !executors.insert(worker.executor).second) {
			continue;
		}
		const auto queue = reader.attribute(worker.executor, "_work_queue");
		for (const std::uint64_t item : queue_items(reader, queue.value_or(0))) {
			if (const auto future = reader.attribute(item, "future")) {
				queued_.emplace(*future, worker.executor);
			}
		}
	}
}

std::uint64_t Workers::queued_in(ObjectReader &reader, std::uint64_t future) {
	if (!queues_read_) {
		read_queues(reader);
	}
	const auto found = queued_.find(future);
	return found != queued_.end() ? found->second : 0;
}

} // namespace loopsnoop::runtimes::cpython::asyncio
