// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/gevent/greenlets.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <unordered_map>
#include <utility>

#include "model/application.h"
#include "runtimes/cpython/gevent/current.h"

namespace loopsnoop::runtimes::cpython::gevent {

namespace {

constexpr std::size_t max_objects = 4'000'000;
constexpr std::size_t max_greenlets = 65'536;
constexpr std::size_t max_frames = 64;
constexpr std::size_t max_running_frames = 2048;
constexpr std::size_t max_words = 32; // of a frame's locals
constexpr std::size_t max_parents = 64;
constexpr std::uint64_t gc_head = 16;         // PyGC_Head, before each object
constexpr std::uint64_t generation_size = 24; // struct gc_generation
// Of the permanent generation, from the first: generation0, a pointer, lies between; 3.14.0 to 3.14.4 have none.
constexpr std::array<std::uint64_t, 2> permanent_from_first{80, 72};

bool is_imported_in(ObjectReader &reader, std::uint64_t interpreter) {
	return reader.value(reader.word(interpreter + reader.offsets().interpreter.modules), "gevent.hub").has_value();
}

// `names`: of the links.
AwaitChain chain_from(ObjectReader &reader, CodeCache &codes, std::uint64_t frame, std::vector<SourceFrame> &names) {
	const PythonLayout &layout = reader.offsets().frames;
	AwaitChain chain;
	for (std::size_t i = 0; i < max_frames && frame != 0; i++) {
		const bool of_c_stack =
		    layout.has_owner &&
		    reader.memory().read_value<std::uint8_t>(frame + layout.frame_owner).value_or(0xff) >= layout.owner_c_stack;
		const std::uint64_t code = reader.word(frame + layout.frame_code) & layout.pointer_mask;
		if (!of_c_stack) {
			if (reader.type_name(code) != "code") {
				break;
			}
			ChainLink link;
			link.frame = frame;
			link.at.code = code;
			link.at.instruction = layout.instruction_is_index
			                          ? reader.memory().read_value<std::uint32_t>(frame + layout.frame_instruction).value_or(0)
			                          : reader.word(frame + layout.frame_instruction);
			link.locals = std::min<std::uint32_t>(
			    max_words, reader.memory().read_value<std::uint32_t>(code + reader.offsets().code.locals).value_or(0));
			for (std::uint32_t word = 0; word < link.locals; word++) {
				link.words.push_back(reader.word(frame + reader.offsets().frame.locals + word * sizeof(std::uint64_t)) &
				                     layout.pointer_mask);
			}
			names.push_back(codes.resolve(reader.memory(), link.at));
			chain.links.push_back(std::move(link));
		}
		frame = reader.word(frame + layout.frame_back);
	}
	std::ranges::reverse(chain.links); // outermost first
	std::ranges::reverse(names);
	chain.state = chain.links.empty() ? AwaitChain::State::unknown : AwaitChain::State::suspended;
	return chain;
}

// What it was made of; gevent's own functions, and those of a server built on it, may stand above. `names`: outermost first.
std::string function_of(const std::vector<SourceFrame> &names) {
	const auto own = std::ranges::find_if(names, [](const SourceFrame &frame) { return is_application_frame(frame); });
	return names.empty() ? std::string() : (own != names.end() ? *own : names.front()).function;
}

class Walk {
public:
	Walk(const process::Memory &memory, CodeCache &codes, const Offsets &offsets, std::uint64_t runtime)
	    : cache_(memory, {65'536, std::chrono::milliseconds(1'000)}), reader_(cache_, offsets), codes_(codes), runtime_(runtime) {
	}

	Hubs read();

private:
	void walk_list(std::uint64_t head);
	void prefetch(std::uint64_t address);
	[[nodiscard]] std::uint64_t hub_of(std::uint64_t greenlet);
	[[nodiscard]] asyncio::RawTask task_of(const Greenlet &greenlet, std::uint64_t hub);
	void find_threads(std::vector<Hub> &hubs);
	void find_running(std::vector<Hub> &hubs);

	PageCache cache_;
	ObjectReader reader_;
	CodeCache &codes_;
	std::uint64_t runtime_;
	std::uint64_t around_ = 0; // the pages that were asked for last
	std::size_t left_ = max_objects;
	std::vector<std::uint64_t> found_;
	std::unordered_map<std::uint64_t, Greenlet> greenlets_;
	bool overtaken_ = false;
};

// Objects lie side by side in arenas: their neighbours are asked for at once.
void Walk::prefetch(std::uint64_t address) {
	constexpr std::uint64_t page = 4096;
	constexpr std::uint64_t pages = 16;
	const std::uint64_t begin = address / (page * pages);
	if (begin == around_) {
		return;
	}
	around_ = begin;
	std::array<std::uint64_t, pages> wanted{};
	for (std::uint64_t i = 0; i < pages; i++) {
		wanted.at(i) = (begin * pages + i) * page;
	}
	cache_.prefetch(wanted, 1);
}

void Walk::walk_list(std::uint64_t head) {
	constexpr std::uint64_t flags = 3; // of _gc_next, while a collection goes on
	constexpr std::uint64_t previous = 8;
	std::uint64_t at = reader_.word(head) & ~flags;
	if (!ObjectReader::may_be_object(at) || (reader_.word(at + previous) & ~flags) != head) {
		return; // no list begins here
	}
	while (at != 0 && at != head && left_ > 0 && found_.size() < max_greenlets) {
		left_--;
		prefetch(at);
		if (!ObjectReader::may_be_object(at)) {
			break;
		}
		if (reader_.is_a(at + gc_head, "greenlet.greenlet")) {
			found_.push_back(at + gc_head);
		}
		at = reader_.word(at) & ~flags;
	}
	overtaken_ = overtaken_ || at != head;
}

std::uint64_t Walk::hub_of(std::uint64_t greenlet) {
	auto at = greenlets_.find(greenlet);
	for (std::size_t i = 0; i < max_parents && at != greenlets_.end(); i++) {
		const auto parent = greenlets_.find(at->second.parent);
		if (parent == greenlets_.end()) {
			break;
		}
		if (reader_.is_a(parent->first, "Hub")) {
			return parent->first;
		}
		at = parent;
	}
	return 0;
}

asyncio::RawTask Walk::task_of(const Greenlet &greenlet, std::uint64_t hub) {
	asyncio::RawTask task;
	std::vector<SourceFrame> names;
	task.address = greenlet.object;
	task.loop = hub;
	task.pending = true;
	task.chain = chain_from(reader_, codes_, greenlet.frame, names);
	const bool is_main = greenlets_.at(hub).parent == greenlet.object;
	task.coroutine = function_of(names);
	task.name = is_main ? "main" : name_of_greenlet(reader_, greenlet.object);
	// A greenlet that was resumed meanwhile has other frames by now.
	const auto now = cache_.now().read_value<std::uint64_t>(greenlet.frame + reader_.offsets().frames.frame_code);
	task.changed =
	    !now || task.chain.links.empty() || (*now & reader_.offsets().frames.pointer_mask) != task.chain.links.back().at.code;
	if (task.changed) {
		task.chain = {};
	}
	return task;
}

// The hub runs in the thread that has its `run` among its frames, with the hub as its first local.
void Walk::find_threads(std::vector<Hub> &hubs) {
	const Offsets &offsets = reader_.offsets();
	const auto threads = walk_threads(cache_, offsets, runtime_);
	for (const ThreadState &thread : threads) {
		for (const PlacedFrame &placed : walk_frames(cache_, offsets.frames, thread.address)) {
			const SourceFrame frame = codes_.resolve(cache_, placed.frame);
			if (!frame.file.ends_with("/gevent/hub.py")) {
				continue;
			}
			const std::uint64_t self = reader_.word(placed.address + offsets.frame.locals) & offsets.frames.pointer_mask;
			if (const auto hub = std::ranges::find(hubs, self, &Hub::address); hub != hubs.end()) {
				hub->thread = thread;
			}
		}
	}
	if (hubs.size() == 1 && !hubs.front().thread && threads.size() == 1) {
		hubs.front().thread = threads.front(); // one of its greenlets runs
	}
}

// Whichever runs in a thread tells of its hub as well.
void Walk::find_running(std::vector<Hub> &hubs) {
	for (const ThreadState &thread : walk_threads(cache_, reader_.offsets(), runtime_)) {
		const bool known = std::ranges::all_of(hubs, [](const Hub &hub) { return hub.running.has_value(); });
		const std::uint64_t state = known ? 0 : find_greenlet_state(reader_, thread);
		auto task = state != 0 ? running_greenlet(reader_, cache_, codes_, state, thread) : std::nullopt;
		if (!task) {
			continue;
		}
		const std::uint64_t main = reader_.word(state);
		const auto hub = std::ranges::find_if(hubs, [&](const Hub &one) {
			return greenlets_.at(one.address).parent == main && (!one.thread || one.thread->address == thread.address);
		});
		if (hub != hubs.end()) {
			hub->thread = thread;
			task->loop = hub->address;
			hub->running = std::move(task);
		}
	}
}

Hubs Walk::read() {
	Hubs out;
	const Offsets &offsets = reader_.offsets();
	if (offsets.interpreter.gc_generations == 0) {
		return out;
	}
	for (const std::uint64_t interpreter : walk_interpreters(cache_, offsets, runtime_)) {
		if (!is_imported_in(reader_, interpreter)) {
			continue;
		}
		const std::uint64_t first = interpreter + offsets.interpreter.gc_generations;
		for (std::uint64_t generation = 0; generation < 3; generation++) {
			walk_list(first + generation * generation_size);
		}
		for (const std::uint64_t permanent : permanent_from_first) {
			walk_list(first + permanent);
		}
	}
	for (const std::uint64_t object : found_) {
		greenlets_.try_emplace(object, read_greenlet(reader_, object));
	}
	std::unordered_map<std::uint64_t, std::size_t> places;
	for (const auto &[object, greenlet] : greenlets_) {
		if (reader_.is_a(object, "Hub")) {
			places.emplace(object, out.hubs.size());
			out.hubs.push_back({object, std::nullopt, {}, std::nullopt});
		}
	}
	for (const auto &[object, greenlet] : greenlets_) {
		if (places.contains(object) || greenlet.frame == 0) {
			continue;
		}
		std::uint64_t hub = hub_of(object);
		for (const Hub &one : out.hubs) {
			hub = greenlets_.at(one.address).parent == object ? one.address : hub;
		}
		if (const auto place = places.find(hub); place != places.end()) {
			out.hubs[place->second].tasks.push_back(task_of(greenlet, hub));
		}
	}
	for (Hub &hub : out.hubs) {
		std::ranges::sort(hub.tasks, {}, &asyncio::RawTask::address);
	}
	find_threads(out.hubs);
	find_running(out.hubs);
	for (Hub &hub : out.hubs) { // what has a frame and runs now was switched to meanwhile
		std::erase_if(hub.tasks,
		              [&](const asyncio::RawTask &task) { return hub.running && task.address == hub.running->address; });
	}
	out.overtaken = overtaken_ || cache_.exhausted();
	return out;
}

} // namespace

bool is_imported(ObjectReader &reader, std::uint64_t runtime) {
	const auto interpreters = walk_interpreters(reader.memory(), reader.offsets(), runtime);
	return std::ranges::any_of(interpreters, [&](std::uint64_t interpreter) { return is_imported_in(reader, interpreter); });
}

std::optional<asyncio::RawTask> running_greenlet(ObjectReader &reader, const process::Memory &memory, CodeCache &codes,
                                                 std::uint64_t state, const ThreadState &thread) {
	asyncio::RawTask task;
	const std::uint64_t current = current_greenlet(reader, state);
	task.address = task_greenlet(reader, current);
	if (task.address == 0) {
		return std::nullopt;
	}
	task.pending = true;
	const Greenlet greenlet = read_greenlet(reader, task.address);
	task.name = greenlet.parent == 0 ? "main" : name_of_greenlet(reader, task.address);
	std::vector<SourceFrame> names;
	if (task.address != current) { // it waits for a greenlet of its own
		(void)chain_from(reader, codes, greenlet.frame, names);
	} else {
		for (const PlacedFrame &placed : walk_frames(memory, reader.offsets().frames, thread.address, max_running_frames)) {
			names.push_back(codes.resolve(memory, placed.frame));
		}
		std::ranges::reverse(names);
	}
	task.coroutine = function_of(names);
	return task;
}

Hubs read_hubs(const process::Memory &memory, CodeCache &codes, const Offsets &offsets, std::uint64_t runtime) {
	return Walk(memory, codes, offsets, runtime).read();
}

} // namespace loopsnoop::runtimes::cpython::gevent
