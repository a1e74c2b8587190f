// SPDX-License-Identifier: Apache-2.0
#include "analysis/iteration_buffer.h"

#include <algorithm>
#include <iterator>

namespace loopsnoop::analysis {

void IterationBuffer::add(RawWait &&wait) {
	std::erase_if(waits_, [&](const RawWait &old) { return old.iteration < wait.iteration; });
	complete(wait);
	if (RawWait *same = mergeable(wait)) {
		same->off_ns += wait.off_ns;
		same->run_delay_ns += wait.run_delay_ns;
		same->count += wait.count;
		same->end_ns = wait.end_ns;
		return;
	}
	waits_.push_back(std::move(wait));
	if (waits_.size() > max_waits) {
		const auto shortest = std::min_element(waits_.begin(), waits_.end(),
		                                       [](const RawWait &a, const RawWait &b) { return a.off_ns < b.off_ns; });
		waits_.erase(shortest);
		dropped_waits_++;
	}
}

void IterationBuffer::complete(RawWait &wait) const {
	if (waker_ && wait.waker && waker_->iteration == wait.iteration && waker_->wait_start_ns == wait.start_ns &&
	    waker_->stack.tid == wait.waker->tid) {
		wait.waker_stack = waker_->stack;
		wait.waker_python = waker_->python;
		if (!waker_->thread.empty()) {
			wait.waker->thread = waker_->thread;
		}
	}
}

// Waits whose stack was not captured differ in nothing but their call: kept apart they would only crowd out those that have one.
RawWait *IterationBuffer::mergeable(const RawWait &wait) {
	if (wait.stack_key != 0) {
		return nullptr;
	}
	const auto same = std::find_if(waits_.begin(), waits_.end(), [&](const RawWait &old) {
		return old.stack_key == 0 && old.cause == wait.cause && old.syscall == wait.syscall;
	});
	return same != waits_.end() ? &*same : nullptr;
}

void IterationBuffer::add(RawSample &&sample) {
	if (!samples_.empty() && samples_.front().iteration < sample.iteration) {
		samples_.clear();
		keep_every_ = 1;
		samples_seen_ = 0;
	}
	if (samples_seen_++ % keep_every_ != 0) {
		samples_.back().periods += sample.periods;
		return;
	}
	samples_.push_back(std::move(sample));
	if (samples_.size() > max_samples) {
		// Every second one goes: the rest still stands for the whole iteration.
		std::size_t kept = 0;
		for (std::size_t i = 0; i < samples_.size(); i += 2) {
			if (i != kept) {
				samples_[kept] = std::move(samples_[i]);
			}
			samples_[kept].periods += i + 1 < samples_.size() ? samples_[i + 1].periods : 0;
			kept++;
		}
		samples_.resize(kept);
		keep_every_ *= 2;
	}
}

std::vector<RawWait> IterationBuffer::waits(std::uint64_t iteration) const {
	std::vector<RawWait> found;
	std::copy_if(waits_.begin(), waits_.end(), std::back_inserter(found),
	             [&](const RawWait &wait) { return wait.iteration == iteration; });
	return found;
}

std::vector<RawSample> IterationBuffer::samples(std::uint64_t iteration) const {
	std::vector<RawSample> found;
	std::copy_if(samples_.begin(), samples_.end(), std::back_inserter(found),
	             [&](const RawSample &sample) { return sample.iteration == iteration; });
	return found;
}

std::vector<RawWait> IterationBuffer::take_waits(std::uint64_t iteration) {
	std::vector<RawWait> found = waits(iteration);
	std::erase_if(waits_, [&](const RawWait &wait) { return wait.iteration <= iteration; });
	return found;
}

std::vector<RawSample> IterationBuffer::take_samples(std::uint64_t iteration) {
	std::vector<RawSample> found = samples(iteration);
	std::erase_if(samples_, [&](const RawSample &sample) { return sample.iteration <= iteration; });
	if (samples_.empty()) {
		keep_every_ = 1;
		samples_seen_ = 0;
	}
	return found;
}

} // namespace loopsnoop::analysis
