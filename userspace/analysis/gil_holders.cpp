// SPDX-License-Identifier: Apache-2.0
#include "analysis/gil_holders.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <variant>

#include "analysis/waits.h"

namespace loopsnoop::analysis {

namespace {

struct Held {
	std::uint64_t samples = 0;
	std::uint64_t ns = 0;
};

FutexResource *gil_of(Wait &wait) {
	auto *futex = wait.resource ? std::get_if<FutexResource>(&wait.resource->is) : nullptr;
	return futex != nullptr && futex->lock == LockKind::gil ? futex : nullptr;
}

// A thread that woke the loop out of its wait gave the GIL up. An interrupt that hit it did not.
std::optional<Holder> holder_by_waker(const Stall &stall, const Wait &wait) {
	if (!wait.waker || wait.waker->interrupt || wait.waker->pid != stall.pid || wait.waker->tid == stall.tid) {
		return std::nullopt;
	}
	return Holder{wait.waker->tid, wait.waker->thread, true};
}

} // namespace

MainGilHolder main_gil_holder(const std::vector<GilHolding> &holders) {
	std::map<std::uint32_t, Held> threads;
	Held all;
	for (const GilHolding &holder : holders) {
		Held &thread = threads[holder.tid];
		thread.samples += holder.samples;
		thread.ns += holder.ns;
		all.ns += holder.ns;
	}
	const auto most =
	    std::max_element(threads.begin(), threads.end(), [](const auto &a, const auto &b) { return a.second.ns < b.second.ns; });
	MainGilHolder found;
	if (most == threads.end()) {
		return found;
	}
	for (const GilHolding &holder : holders) {
		if (holder.tid == most->first && (found.heaviest == nullptr || holder.ns > found.heaviest->ns)) {
			found.heaviest = &holder;
		}
	}
	constexpr std::uint64_t nine = 9, ten = 10;
	found.nearly_alone = most->second.ns * ten >= all.ns * nine;
	return found;
}

void GilHolders::add(GilSample &&sample) {
	if (sample.iteration < iteration_) {
		return;
	}
	if (sample.iteration > iteration_) {
		iteration_ = sample.iteration;
		holders_.clear();
	}
	Stack stack;
	stack.python = std::move(sample.python);
	auto known = std::find_if(holders_.begin(), holders_.end(), [&](const GilHolding &holder) {
		return holder.tid == sample.tid && same_stack(holder.stack, stack);
	});
	if (known == holders_.end()) {
		if (holders_.size() >= max_places) {
			return;
		}
		known = holders_.insert(known, GilHolding{sample.tid, std::move(sample.thread), 0, 0, std::move(stack)});
	}
	known->samples++;
	known->ns += sample.waited_ns;
}

std::vector<GilHolding> GilHolders::of(std::uint64_t iteration) const {
	std::vector<GilHolding> found = iteration == iteration_ ? holders_ : std::vector<GilHolding>();
	std::stable_sort(found.begin(), found.end(), [](const GilHolding &a, const GilHolding &b) { return a.samples > b.samples; });
	return found;
}

void account_gil(Stall &stall, std::vector<GilHolding> holders) {
	const CausePart &part = part_of(stall.breakdown, Cause::gil);
	if (part.ns == 0 && part.count == 0) {
		return;
	}
	const MainGilHolder main = main_gil_holder(holders);
	for (Wait &wait : stall.waits) {
		FutexResource *gil = gil_of(wait);
		if (gil == nullptr || gil->holder) {
			continue;
		}
		if (main.heaviest != nullptr && main.nearly_alone) {
			gil->holder = Holder{main.heaviest->tid, main.heaviest->thread, true};
		} else if (main.heaviest == nullptr) {
			gil->holder = holder_by_waker(stall, wait);
		}
	}
	if (holders.size() > max_reported_gil_holders) {
		holders.resize(max_reported_gil_holders);
	}
	stall.gil = GilStory{part.ns, part.count, std::move(holders)};
}

} // namespace loopsnoop::analysis
