// SPDX-License-Identifier: Apache-2.0
#include "analysis/culprit.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <variant>
#include <vector>

#include "model/application.h"

namespace loopsnoop::analysis {

namespace {

// The waits with a culprit, by how much of the stall's cause it accounts for: many short waits on one line outweigh a longer one.
std::optional<SourceFrame> heaviest(const std::vector<std::pair<SourceFrame, std::uint64_t>> &weighed) {
	std::map<std::tuple<std::string, std::string, int>, std::uint64_t> sums;
	const SourceFrame *best = nullptr;
	std::uint64_t most = 0;
	for (const auto &[frame, ns] : weighed) {
		std::uint64_t &sum = sums[{frame.file, frame.function, frame.line.value_or(0)}];
		sum += ns;
		if (sum > most) {
			most = sum;
			best = &frame;
		}
	}
	if (best == nullptr) {
		return std::nullopt;
	}
	return *best;
}

std::optional<SourceFrame> culprit_of_waits(const Stall &stall, bool of_cause_only) {
	std::vector<std::pair<SourceFrame, std::uint64_t>> weighed;
	for (const Wait &wait : stall.waits) {
		if (wait.stack && (!of_cause_only || wait.cause == stall.cause)) {
			if (auto frame = culprit_of(*wait.stack)) {
				weighed.emplace_back(std::move(*frame), wait.duration_ns);
			}
		}
	}
	return heaviest(weighed);
}

std::optional<SourceFrame> culprit_of_samples(const Stall &stall) {
	std::vector<std::pair<SourceFrame, std::uint64_t>> weighed;
	for (const CpuPart &part : stall.cpu) {
		if (auto frame = culprit_of(part.stack)) {
			weighed.emplace_back(std::move(*frame), part.ns);
		}
	}
	return heaviest(weighed);
}

} // namespace

std::optional<SourceFrame> culprit_of(const Stack &stack) {
	for (const auto *frames : {&stack.python, &stack.javascript}) {
		if (const SourceFrame *frame = innermost_application_frame(*frames)) {
			return *frame;
		}
	}
	if (!stack.python.empty() || !stack.javascript.empty()) {
		return std::nullopt;
	}
	if (const NativeFrame *frame = innermost_application_frame(stack.native)) {
		return SourceFrame{frame->function.value_or("?"), frame->file.value_or(frame->module.value_or("")), frame->line};
	}
	return std::nullopt;
}

std::optional<SourceFrame> callback_of(std::vector<std::vector<SourceFrame>> moments) {
	// A stack that changed while it was read may have lost its outer frames: those that begin as most do are kept.
	std::map<std::pair<std::string, std::string>, std::size_t> begins;
	std::erase_if(moments, [](const auto &frames) { return frames.empty(); });
	for (const auto &frames : moments) {
		begins[{frames.back().file, frames.back().function}]++;
	}
	const auto usual = std::ranges::max_element(begins, {}, [](const auto &begin) { return begin.second; });
	std::erase_if(moments,
	              [&](const auto &frames) { return std::pair(frames.back().file, frames.back().function) != usual->first; });
	const auto same = [](const SourceFrame &one, const SourceFrame &other) {
		return one.function == other.function && one.file == other.file;
	};
	std::size_t common = moments.empty() ? 0 : moments.front().size(); // outer frames
	for (const auto &frames : moments) {
		const auto outer =
		    std::ranges::mismatch(frames.rbegin(), frames.rend(), moments.front().rbegin(), moments.front().rend(), same);
		common = std::min(common, static_cast<std::size_t>(outer.in1 - frames.rbegin()));
	}
	std::vector<std::pair<SourceFrame, std::uint64_t>> weighed;
	for (auto &inner : moments) {
		inner.resize(inner.size() - common);
		if (const SourceFrame *frame = innermost_application_frame(inner)) {
			weighed.emplace_back(*frame, 1);
		}
	}
	return heaviest(weighed);
}

const Wait *main_wait(const Stall &stall) {
	const Wait *best = nullptr;
	for (const Wait &wait : stall.waits) {
		const bool of_cause = wait.cause == stall.cause;
		const bool best_of_cause = best != nullptr && best->cause == stall.cause;
		if (best == nullptr || (of_cause && !best_of_cause) ||
		    (of_cause == best_of_cause && wait.duration_ns > best->duration_ns)) {
			best = &wait;
		}
	}
	return best;
}

const Wait *deadlocked_wait(const Stall &stall) {
	if (!stall.deadlock || std::ranges::find(*stall.deadlock, stall.tid) == stall.deadlock->end()) {
		return nullptr;
	}
	const auto wait = std::ranges::find_if(stall.waits, [](const Wait &one) {
		return one.ongoing && one.resource && std::holds_alternative<FutexResource>(one.resource->is);
	});
	return wait == stall.waits.end() ? nullptr : &*wait;
}

std::optional<SourceFrame> find_culprit(const Stall &stall) {
	if (const Wait *deadlocked = deadlocked_wait(stall); deadlocked != nullptr && deadlocked->stack) {
		if (auto found = culprit_of(*deadlocked->stack)) {
			return found;
		}
	}
	// Preempted and computing are the same line: what it was doing when it was not let run.
	const bool computes = stall.cause == Cause::cpu || stall.cause == Cause::runqueue;
	std::optional<SourceFrame> found = computes ? culprit_of_samples(stall) : culprit_of_waits(stall, true);
	if (!found && stall.cause != Cause::stopped) {
		found = computes ? culprit_of_waits(stall, false) : std::nullopt;
	}
	return found;
}

} // namespace loopsnoop::analysis
