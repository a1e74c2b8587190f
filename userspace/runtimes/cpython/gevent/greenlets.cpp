// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/gevent/greenlets.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <unordered_map>
#include <utility>

#include "model/application.h"

namespace loopsnoop::runtimes::cpython::gevent {

namespace {

constexpr std::size_t max_objects = 4'000'000;
constexpr std::size_t max_greenlets = 65'536;
constexpr std::size_t max_frames = 64;
constexpr std::size_t max_words = 32; // of a frame's locals
constexpr std::size_t max_parents = 64;
constexpr std::uint64_t gc_head = 16;         // PyGC_Head, before each object
constexpr std::uint64_t generation_size = 24; // struct gc_generation
// Of the permanent generation, from the first: generation0, a pointer, lies between; 3.14.0 to 3.14.4 have none.
constexpr std::array<std::uint64_t, 2> permanent_from_first{80, 72};
constexpr std::uint64_t greenlet_impl = 32;   // PyGreenlet.pimpl, greenlet.h, since 1.1: behind weakreflist and dict
constexpr std::uint64_t frame_of_object = 24; // PyFrameObject.f_frame, Include/internal/pycore_frame.h, since 3.11
constexpr std::size_t impl_words = 32;

// What is believed of a greenlet once all of it was read.
struct Greenlet {
	std::uint64_t object = 0;
	std::uint64_t parent = 0;
	std::uint64_t frame = 0; // the innermost, a PyFrameObject or _PyInterpreterFrame; 0: it runs, has ended or has not begun
};

class Walk {
public:
	Walk(const process::Memory &memory, CodeCache &codes, const Offsets &offsets, std::uint64_t runtime)
	    : cache_(memory, {65'536, std::chrono::milliseconds(1'000)}), reader_(cache_, offsets), codes_(codes), runtime_(runtime) {
	}

	Hubs read();

private:
	[[nodiscard]] bool is_imported(std::uint64_t interpreter);
	void walk_list(std::uint64_t head);
	void prefetch(std::uint64_t address);
	[[nodiscard]] Greenlet greenlet_at(std::uint64_t object);
	[[nodiscard]] std::uint64_t hub_of(std::uint64_t greenlet);
	[[nodiscard]] AwaitChain chain_from(std::uint64_t frame, std::vector<SourceFrame> &names);
	[[nodiscard]] asyncio::RawTask task_of(const Greenlet &greenlet, std::uint64_t hub);
	void find_threads(std::vector<Hub> &hubs);

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

bool Walk::is_imported(std::uint64_t interpreter) {
	return reader_.value(reader_.word(interpreter + reader_.offsets().interpreter.modules), "gevent.hub").has_value();
}

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

Greenlet Walk::greenlet_at(std::uint64_t object) {
	Greenlet greenlet{object, 0, 0};
	const std::uint64_t impl = reader_.word(object + greenlet_impl);
	for (std::size_t i = 1; i < impl_words && ObjectReader::may_be_object(impl); i++) {
		const std::uint64_t word = reader_.word(impl + i * sizeof(std::uint64_t));
		if (!ObjectReader::may_be_object(word) || word == object) {
			continue;
		}
		if (greenlet.frame == 0 && reader_.type_name(word) == "frame") {
			greenlet.frame = word;
		} else if (reader_.is_a(word, "greenlet.greenlet")) {
			greenlet.parent = word;
		}
	}
	if (greenlet.frame != 0 && reader_.offsets().coroutine.form >= CoroutineForm::embedded_with_depth) {
		greenlet.frame = reader_.word(greenlet.frame + frame_of_object);
	}
	return greenlet;
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

AwaitChain Walk::chain_from(std::uint64_t frame, std::vector<SourceFrame> &names) {
	const PythonLayout &layout = reader_.offsets().frames;
	AwaitChain chain;
	for (std::size_t i = 0; i < max_frames && frame != 0; i++) {
		const bool of_c_stack =
		    layout.has_owner &&
		    reader_.memory().read_value<std::uint8_t>(frame + layout.frame_owner).value_or(0xff) >= layout.owner_c_stack;
		const std::uint64_t code = reader_.word(frame + layout.frame_code) & layout.pointer_mask;
		if (!of_c_stack) {
			if (reader_.type_name(code) != "code") {
				break;
			}
			ChainLink link;
			link.frame = frame;
			link.at.code = code;
			link.at.instruction = layout.instruction_is_index
			                          ? reader_.memory().read_value<std::uint32_t>(frame + layout.frame_instruction).value_or(0)
			                          : reader_.word(frame + layout.frame_instruction);
			link.locals = std::min<std::uint32_t>(
			    max_words, reader_.memory().read_value<std::uint32_t>(code + reader_.offsets().code.locals).value_or(0));
			for (std::uint32_t word = 0; word < link.locals; word++) {
				link.words.push_back(reader_.word(frame + reader_.offsets().frame.locals + word * sizeof(std::uint64_t)) &
				                     layout.pointer_mask);
			}
			names.push_back(codes_.resolve(reader_.memory(), link.at));
			chain.links.push_back(std::move(link));
		}
		frame = reader_.word(frame + layout.frame_back);
	}
	std::ranges::reverse(chain.links); // outermost first
	std::ranges::reverse(names);
	chain.state = chain.links.empty() ? AwaitChain::State::unknown : AwaitChain::State::suspended;
	return chain;
}

asyncio::RawTask Walk::task_of(const Greenlet &greenlet, std::uint64_t hub) {
	asyncio::RawTask task;
	std::vector<SourceFrame> names;
	task.address = greenlet.object;
	task.loop = hub;
	task.pending = true;
	task.chain = chain_from(greenlet.frame, names);
	const bool is_main = greenlets_.at(hub).parent == greenlet.object;
	if (!names.empty()) {
		// What it was made of; gevent's own functions, and those of a server built on it, may stand above.
		const auto own = std::ranges::find_if(names, [](const SourceFrame &frame) { return is_application_frame(frame); });
		task.coroutine = (own != names.end() ? *own : names.front()).function;
	}
	const std::string_view type = reader_.type_name(greenlet.object);
	task.name = is_main ? "main" : std::string(type.substr(type.rfind('.') + 1)); // of "gevent._gevent_cgreenlet.Greenlet"
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

Hubs Walk::read() {
	Hubs out;
	const Offsets &offsets = reader_.offsets();
	if (offsets.interpreter.gc_generations == 0) {
		return out;
	}
	for (const std::uint64_t interpreter : walk_interpreters(cache_, offsets, runtime_)) {
		if (!is_imported(interpreter)) {
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
		greenlets_.try_emplace(object, greenlet_at(object));
	}
	std::unordered_map<std::uint64_t, std::size_t> places;
	for (const auto &[object, greenlet] : greenlets_) {
		if (reader_.is_a(object, "Hub")) {
			places.emplace(object, out.hubs.size());
			out.hubs.push_back({object, std::nullopt, {}});
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
	out.overtaken = overtaken_ || cache_.exhausted();
	return out;
}

} // namespace

Hubs read_hubs(const process::Memory &memory, CodeCache &codes, const Offsets &offsets, std::uint64_t runtime) {
	return Walk(memory, codes, offsets, runtime).read();
}

} // namespace loopsnoop::runtimes::cpython::gevent
