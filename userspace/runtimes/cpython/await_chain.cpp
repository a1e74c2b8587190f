// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/await_chain.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

namespace loopsnoop::runtimes::cpython {

namespace {

constexpr std::size_t max_links = 64;
constexpr std::size_t max_words = 64;
constexpr std::size_t coroutine_bytes = 512; // of a coroutine with its frame, where that is in it

bool is_embedded(const Offsets &offsets) { return offsets.coroutine.form >= CoroutineForm::embedded_with_depth; }

enum class Kind : std::uint8_t { coroutine, generator, wrapper, other };

Kind kind_of(std::string_view type) {
	if (type == "coroutine") {
		return Kind::coroutine;
	}
	if (type == "generator" || type == "async_generator") {
		return Kind::generator;
	}
	// Objects/genobject.c: each leads to a coroutine or generator in its first member. FutureIter, Modules/_asynciomodule.c: to
	// the future.
	const bool leads_on = type == "coroutine_wrapper" || type == "async_generator_asend" || type == "async_generator_athrow" ||
	                      type == "_asyncio.FutureIter" || type == "FutureIter";
	return leads_on ? Kind::wrapper : Kind::other;
}

// Walks one chain, link by link.
class Walk {
public:
	Walk(ObjectReader &reader, std::uint64_t coroutine) : reader_(reader), next_(coroutine) {}

	// The object to read next; 0: the end is reached.
	[[nodiscard]] std::uint64_t next() const { return next_; }
	[[nodiscard]] std::uint64_t next_frame() const {
		return is_embedded(reader_.offsets()) ? 0 : reader_.word(next_ + reader_.offsets().coroutine.frame);
	}
	void step();
	[[nodiscard]] AwaitChain take() { return std::move(chain_); }

private:
	void stop(AwaitChain::State state) {
		chain_.state = state;
		next_ = 0;
	}
	// False: it does not await (any more), and the chain's state is set.
	bool read_state(std::uint64_t object, std::uint64_t frame, bool is_generator);
	bool read_words(ChainLink &link);
	void place_arguments(ChainLink &link) const;
	[[nodiscard]] std::optional<std::uint64_t> locals_of(std::uint64_t code) const;
	[[nodiscard]] bool waits_in_await(const ChainLink &link, std::uint64_t object) const;

	ObjectReader &reader_;
	std::uint64_t next_;
	AwaitChain chain_;
};

bool Walk::read_state(std::uint64_t object, std::uint64_t frame, bool is_generator) {
	const CoroutineLayout &layout = reader_.offsets().coroutine;
	const process::Memory &memory = reader_.memory();
	if (layout.form == CoroutineForm::frame_with_stacktop) {
		const bool running = memory.read_value<std::uint8_t>(object + layout.running).value_or(0) != 0;
		constexpr std::int32_t not_begun = -1;
		const auto last = memory.read_value<std::int32_t>(frame + reader_.offsets().frames.frame_instruction);
		if (running || reader_.word(frame + layout.top) == 0) {
			stop(running ? AwaitChain::State::running : AwaitChain::State::ended);
			return false;
		}
		chain_.state = last == not_begun ? AwaitChain::State::created : AwaitChain::State::suspended;
		return last.has_value();
	}
	const std::uint64_t base = layout.form == CoroutineForm::frame_with_depth ? frame : object;
	const auto state = memory.read_value<std::int8_t>(base + layout.state);
	if (!state) {
		stop(AwaitChain::State::unknown);
	} else if (*state == layout.executing) {
		stop(AwaitChain::State::running);
	} else if (*state == layout.created) {
		chain_.state = AwaitChain::State::created;
		return true;
	} else if (*state >= layout.suspended && *state <= layout.awaiting) {
		chain_.state = AwaitChain::State::suspended;
		// Since 3.13 a state of its own, or two, says that it is in an await.
		if (is_generator && layout.awaiting > layout.suspended && *state == layout.suspended) {
			chain_.state = AwaitChain::State::suspended;
		}
		return true;
	} else {
		stop(AwaitChain::State::ended);
	}
	return false;
}

std::optional<std::uint64_t> Walk::locals_of(std::uint64_t code) const {
	constexpr std::int32_t most = 4096;
	const auto count = reader_.memory().read_value<std::int32_t>(code + reader_.offsets().code.locals);
	return count && *count >= 0 && *count < most ? std::optional<std::uint64_t>(static_cast<std::uint64_t>(*count))
	                                             : std::nullopt;
}

bool Walk::read_words(ChainLink &link) {
	const Offsets &offsets = reader_.offsets();
	const CoroutineLayout &layout = offsets.coroutine;
	const std::uint64_t begin = link.frame + offsets.frame.locals;
	std::uint64_t stack = 0;
	std::uint64_t top = 0;
	switch (layout.form) {
	case CoroutineForm::frame_with_stacktop:
		stack = reader_.word(link.frame + layout.stack);
		top = reader_.word(link.frame + layout.top);
		break;
	case CoroutineForm::frame_with_depth:
		stack = reader_.word(link.frame + layout.stack);
		top = stack + sizeof(std::uint64_t) * reader_.memory().read_value<std::uint32_t>(link.frame + layout.top).value_or(0);
		break;
	case CoroutineForm::embedded_with_depth:
	case CoroutineForm::embedded_with_top: {
		const auto locals = locals_of(link.at.code);
		if (!locals) {
			return false;
		}
		stack = begin + *locals * sizeof(std::uint64_t);
		top =
		    layout.form == CoroutineForm::embedded_with_top
		        ? reader_.word(link.frame + layout.top)
		        : begin + sizeof(std::uint64_t) * reader_.memory().read_value<std::uint32_t>(link.frame + layout.top).value_or(0);
		break;
	}
	}
	constexpr std::uint64_t far = 1U << 16U;
	if (stack < begin || top < stack || top - begin > far || (top - begin) % sizeof(std::uint64_t) != 0) {
		return false;
	}
	// Of many locals the first, and the whole stack as far as it goes in.
	const std::uint64_t in_locals = (stack - begin) / sizeof(std::uint64_t);
	const std::uint64_t in_stack = std::min<std::uint64_t>((top - stack) / sizeof(std::uint64_t), max_words / 2);
	link.locals = static_cast<std::uint32_t>(std::min<std::uint64_t>(in_locals, max_words - in_stack));
	link.words.resize(link.locals + in_stack);
	const auto bytes = std::as_writable_bytes(std::span(link.words));
	if (!reader_.memory().read(begin, bytes.first(link.locals * sizeof(std::uint64_t))) ||
	    !reader_.memory().read(top - in_stack * sizeof(std::uint64_t), bytes.subspan(link.locals * sizeof(std::uint64_t)))) {
		return false;
	}
	for (std::uint64_t &word : link.words) {
		word &= offsets.frames.pointer_mask;
	}
	if (offsets.code.cell_arguments != 0) {
		place_arguments(link);
	}
	if (in_stack >= layout.awaited) {
		link.awaited = link.words[link.words.size() - layout.awaited];
	}
	return true;
}

// Puts the cells of arguments where the arguments were (Python/ceval.c of 3.9 and 3.10, _PyEval_EvalCode).
void Walk::place_arguments(ChainLink &link) const {
	const Offsets &offsets = reader_.offsets();
	const std::uint64_t code = link.at.code;
	const std::uint64_t arguments = reader_.word(code + offsets.code.cell_arguments);
	const auto locals = reader_.memory().read_value<std::int32_t>(code + offsets.code.plain_locals);
	const auto cells = reader_.size(reader_.word(code + offsets.code.cell_names));
	if (arguments == 0 || !locals || *locals < 0 || !cells) {
		return;
	}
	for (std::uint64_t i = 0; i < *cells && static_cast<std::uint64_t>(*locals) + i < link.locals; i++) {
		const std::uint64_t argument = reader_.word(arguments + i * sizeof(std::uint64_t)); // -1: not an argument's
		if (argument < static_cast<std::uint64_t>(*locals) && link.words[argument] == 0) {
			link.words[argument] = link.words[static_cast<std::uint64_t>(*locals) + i];
		}
	}
}

// A generator that stands in a yield of its own has something else on top of its stack, an iterator of a loop for one.
bool Walk::waits_in_await(const ChainLink &link, std::uint64_t object) const {
	const Offsets &offsets = reader_.offsets();
	const CoroutineLayout &layout = offsets.coroutine;
	const process::Memory &memory = reader_.memory();
	if (layout.form <= CoroutineForm::frame_with_depth) {
		constexpr std::uint8_t yield_from = 72; // Include/opcode.h, 3.9 and 3.10: the instruction that comes next
		const std::uint64_t index =
		    (static_cast<std::uint32_t>(link.at.instruction) + (layout.form == CoroutineForm::frame_with_depth ? 1U : 2U)) *
		    std::uint64_t{offsets.code.instruction_unit};
		return memory.read_value<std::uint8_t>(reader_.word(link.at.code + offsets.code.bytes) + offsets.object.bytes_data +
		                                       index) == yield_from;
	}
	if (layout.awaiting == layout.suspended) { // 3.11, 3.12: RESUME follows, with 2 or 3 for yield from and await
		constexpr std::uint64_t unit = 2;
		const auto argument = memory.read_value<std::uint8_t>(link.at.instruction + unit + 1);
		return argument && (*argument & 3U) >= 2;
	}
	const auto state = memory.read_value<std::int8_t>(object + layout.state);
	return state && *state > layout.suspended;
}

void Walk::step() {
	const Offsets &offsets = reader_.offsets();
	const std::uint64_t object = next_;
	const Kind kind = kind_of(reader_.type_name(object));
	if (kind == Kind::wrapper) {
		next_ = reader_.word(object + after_head);
		if (reader_.type_name(object).ends_with("FutureIter")) {
			chain_.end = next_;
			next_ = 0;
		}
		return;
	}
	if (kind == Kind::other) {
		if (chain_.links.empty()) {
			stop(AwaitChain::State::unknown);
			return;
		}
		chain_.end = object;
		next_ = 0;
		return;
	}
	ChainLink link;
	link.object = object;
	link.frame = is_embedded(offsets) ? object + offsets.coroutine.frame : reader_.word(object + offsets.coroutine.frame);
	if (link.frame == 0) {
		stop(AwaitChain::State::ended);
		return;
	}
	if (!read_state(object, link.frame, kind == Kind::generator)) {
		return;
	}
	link.at.code = reader_.word(link.frame + offsets.frames.frame_code) & offsets.frames.pointer_mask;
	link.at.instruction =
	    offsets.frames.instruction_is_index
	        ? reader_.memory().read_value<std::uint32_t>(link.frame + offsets.frames.frame_instruction).value_or(0)
	        : reader_.word(link.frame + offsets.frames.frame_instruction);
	const bool loops = std::ranges::find(chain_.links, object, &ChainLink::object) != chain_.links.end();
	if (reader_.type_name(link.at.code) != "code" || loops || chain_.links.size() >= max_links) {
		stop(AwaitChain::State::unknown);
		return;
	}
	if (!read_words(link)) {
		stop(AwaitChain::State::unknown);
		return;
	}
	if (chain_.state == AwaitChain::State::created || (kind == Kind::generator && !waits_in_await(link, object))) {
		link.awaited = 0;
	}
	next_ = link.awaited;
	chain_.links.push_back(std::move(link));
}

} // namespace

AwaitChain read_chain(ObjectReader &reader, std::uint64_t coroutine) {
	Walk walk(reader, coroutine);
	for (std::size_t step = 0; walk.next() != 0 && step < 2 * max_links; ++step) {
		walk.step();
	}
	return walk.take();
}

std::vector<AwaitChain> read_chains(ObjectReader &reader, const PageCache &cache, std::span<const std::uint64_t> coroutines) {
	std::vector<Walk> walks;
	walks.reserve(coroutines.size());
	for (const std::uint64_t coroutine : coroutines) {
		walks.emplace_back(reader, coroutine);
	}
	std::vector<std::uint64_t> objects;
	std::vector<std::uint64_t> frames;
	for (std::size_t level = 0; level < 2 * max_links; ++level) {
		objects.clear();
		frames.clear();
		for (const Walk &walk : walks) {
			if (walk.next() != 0) {
				objects.push_back(walk.next());
			}
		}
		if (objects.empty()) {
			break;
		}
		cache.prefetch(objects, coroutine_bytes);
		for (const Walk &walk : walks) {
			if (const std::uint64_t frame = walk.next() != 0 ? walk.next_frame() : 0; frame != 0) {
				frames.push_back(frame);
			}
		}
		cache.prefetch(frames, coroutine_bytes);
		for (Walk &walk : walks) {
			if (walk.next() != 0) {
				walk.step();
			}
		}
	}
	std::vector<AwaitChain> chains;
	chains.reserve(walks.size());
	for (Walk &walk : walks) {
		chains.push_back(walk.take());
	}
	return chains;
}

} // namespace loopsnoop::runtimes::cpython
