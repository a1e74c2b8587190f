// SPDX-License-Identifier: Apache-2.0
#include "inspect/python_samples.h"

#include <algorithm>
#include <utility>

namespace loopsnoop::inspect {

namespace {

// Names are given again; an object is another one where its name is, too.
bool same(const std::optional<StallTask> &a, const std::optional<StallTask> &b) {
	return a.has_value() == b.has_value() && (!a || (a->id == b->id && a->name == b->name));
}

// How many callbacks have left a queue: those that stood before what is its first one now. Others may have been added behind.
std::uint64_t run_between(const std::vector<std::uint64_t> &before, const std::vector<std::uint64_t> &now) {
	const auto first = now.empty() ? before.end() : std::ranges::find(before, now.front());
	if (first == before.end() && !now.empty()) { // nothing of it is known for sure, but that it is shorter
		return before.size() - std::min(before.size(), now.size());
	}
	return static_cast<std::uint64_t>(first - before.begin());
}

} // namespace

void PythonSamples::add(std::uint64_t iteration, std::uint64_t start_ns, PythonSample &&sample) {
	constexpr std::size_t most = 64; // tasks of one iteration; what is beyond counts for none
	if (iteration != iteration_) {
		*this = PythonSamples();
		iteration_ = iteration;
		last_ns_ = start_ns;
	}
	if (sample.runs) {
		running_++;
		collecting_ += sample.collecting ? 1 : 0;
		generation_ = sample.collecting ? std::max(generation_, sample.generation) : generation_;
	}
	if (!sample.asked) {
		return;
	}
	const std::uint64_t ns = sample.time_ns - std::min(sample.time_ns, last_ns_);
	last_ns_ = std::max(last_ns_, sample.time_ns);
	if (sample.queued_callbacks) {
		const std::uint64_t run = last_queued_ ? run_between(*last_queued_, *sample.queued_callbacks) : 0;
		if (run > 1) {
			sample.task.reset(); // the time since the last sample was of several
		}
		callbacks_run_ += run;
		last_queued_ = std::move(sample.queued_callbacks);
	}
	const auto find = [&] { return std::ranges::find_if(parts_, [&](const Part &one) { return same(one.task, sample.task); }); };
	auto part = find();
	if (part == parts_.end() && parts_.size() == most) {
		sample.task.reset();
		part = find();
	}
	if (part == parts_.end()) {
		part = parts_.insert(parts_.end(), Part{std::move(sample.task), 0});
	}
	part->ns += ns;
	current_ = static_cast<std::size_t>(part - parts_.begin());
}

void PythonSamples::recall(std::uint64_t iteration, Stall &stall) const {
	if (iteration != iteration_) {
		return;
	}
	if (collecting_ > 0) {
		stall.gc = GcPart{part_of(stall.breakdown, Cause::cpu).ns * collecting_ / running_, generation_};
	}
	if (parts_.empty()) {
		return;
	}
	constexpr std::uint64_t worth_reporting_callbacks = 20; // callbacks
	const std::uint64_t end_ns = stall.start_ns + stall.duration_ns;
	const std::uint64_t rest_ns = end_ns - std::min(end_ns, last_ns_);
	std::uint64_t all_ns = rest_ns;
	std::size_t longest = 0;
	const auto time = [&](std::size_t i) { return parts_[i].ns + (i == current_ ? rest_ns : 0); };
	for (std::size_t i = 0; i < parts_.size(); i++) {
		all_ns += parts_[i].ns;
		longest = time(i) > time(longest) ? i : longest;
	}
	if (parts_[longest].task && time(longest) * 2 >= all_ns) {
		stall.task = parts_[longest].task;
	} else if (callbacks_run_ >= worth_reporting_callbacks) {
		stall.callbacks = callbacks_run_;
	}
}

} // namespace loopsnoop::inspect
