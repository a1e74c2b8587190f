// SPDX-License-Identifier: Apache-2.0
#include "analysis/waits.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include "analysis/kernel_frames.h"

namespace loopsnoop::analysis {

namespace {

bool same_frame(const SourceFrame &a, const SourceFrame &b) {
	return a.line == b.line && a.function == b.function && a.file == b.file;
}

// Native frames differ in the instruction when the line is the same: with interpreter frames those decide.
bool same_native(const NativeFrame &a, const NativeFrame &b) {
	return a.function == b.function && a.module == b.module && a.line == b.line &&
	       (a.function.has_value() || a.offset == b.offset);
}

template <typename Frame, typename Same> bool same_frames(const std::vector<Frame> &a, const std::vector<Frame> &b, Same same) {
	return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

bool continues(const Wait &earlier, const Wait &later) {
	if (earlier.cause != later.cause || earlier.syscall != later.syscall || earlier.ongoing) {
		return false;
	}
	if (!earlier.stack || !later.stack) {
		return !earlier.stack && !later.stack;
	}
	return same_stack(*earlier.stack, *later.stack);
}

void append(Wait &to, Wait &&from) {
	// The longer one's particulars stand for both.
	if (from.duration_ns > to.duration_ns) {
		to.resource = std::move(from.resource);
		to.waker = std::move(from.waker);
		to.stack = std::move(from.stack);
		to.stack_from = from.stack_from;
	}
	to.duration_ns += from.duration_ns;
	to.run_delay_ns += from.run_delay_ns;
	to.count += from.count;
	to.ongoing = from.ongoing;
}

// Stacks of short waits are taken of a part of them only. Those without go to the one that has been seen of the same call; when
// there are several such, or none, they stay apart and without.
void represent(std::vector<Wait> &waits) {
	for (auto bare = waits.begin(); bare != waits.end();) {
		Wait *seen = nullptr;
		bool several = false;
		for (Wait &other : waits) {
			if (other.stack && other.cause == bare->cause && other.syscall == bare->syscall) {
				several = several || seen != nullptr;
				seen = &other;
			}
		}
		if (bare->stack || bare->ongoing || seen == nullptr || several) {
			++bare;
			continue;
		}
		seen->start_ns = std::min(seen->start_ns, bare->start_ns);
		seen->duration_ns += bare->duration_ns;
		seen->run_delay_ns += bare->run_delay_ns;
		seen->count += bare->count;
		bare = waits.erase(bare);
	}
}

// The system call, or the way in otherwise (a page fault); empty: in the thread's own code.
std::string_view place_in_kernel(const CpuPart &part) {
	const std::vector<KernelFrame> &kernel = part.stack.kernel;
	if (const std::string_view call = system_call_of(kernel); !call.empty()) {
		return call;
	}
	return kernel.empty() || !kernel.back().function ? std::string_view() : *kernel.back().function;
}

} // namespace

bool same_stack(const Stack &a, const Stack &b) {
	if (!a.python.empty() || !b.python.empty()) {
		return same_frames(a.python, b.python, same_frame);
	}
	if (!a.javascript.empty() || !b.javascript.empty()) {
		// The addresses of compiled code are no difference to a person.
		return same_frames(a.javascript, b.javascript, same_frame);
	}
	return same_frames(a.native, b.native, same_native);
}

std::vector<Wait> report_waits(std::vector<Wait> waits) {
	std::stable_sort(waits.begin(), waits.end(), [](const Wait &a, const Wait &b) { return a.start_ns < b.start_ns; });
	std::vector<Wait> merged;
	for (Wait &wait : waits) {
		if (!merged.empty() && continues(merged.back(), wait)) {
			append(merged.back(), std::move(wait));
		} else {
			merged.push_back(std::move(wait));
		}
	}
	represent(merged);
	if (merged.size() > max_reported_waits) {
		std::stable_sort(merged.begin(), merged.end(),
		                 [](const Wait &a, const Wait &b) { return a.duration_ns > b.duration_ns; });
		merged.resize(max_reported_waits);
		std::stable_sort(merged.begin(), merged.end(), [](const Wait &a, const Wait &b) { return a.start_ns < b.start_ns; });
	}
	return merged;
}

std::vector<CpuPart> report_samples(std::vector<CpuPart> samples) {
	std::vector<std::vector<CpuPart>> lines; // of each: its parts by where in the kernel they were
	for (CpuPart &sample : samples) {
		leave_out_interrupts(sample.stack.kernel);
		auto line = std::ranges::find_if(lines, [&](const auto &one) { return same_stack(one.front().stack, sample.stack); });
		if (line == lines.end()) {
			line = lines.emplace(lines.end());
		}
		const auto known = std::ranges::find(*line, place_in_kernel(sample), place_in_kernel);
		if (known == line->end()) {
			line->push_back(std::move(sample));
		} else {
			known->samples += sample.samples;
			known->ns += sample.ns;
		}
	}
	std::vector<CpuPart> parts;
	parts.reserve(lines.size());
	for (auto &line : lines) {
		CpuPart part;
		for (const CpuPart &one : line) {
			part.samples += one.samples;
			part.ns += one.ns;
		}
		part.stack = std::move(std::ranges::max_element(line, {}, &CpuPart::ns)->stack);
		parts.push_back(std::move(part));
	}
	std::ranges::stable_sort(parts, std::ranges::greater(), &CpuPart::ns);
	return parts;
}

std::uint64_t cut_to_iteration(Stall &stall) {
	constexpr std::uint64_t slack_ns = 1'000'000; // the clock is read a little earlier or later on either side
	const std::uint64_t end_ns = stall.start_ns + stall.duration_ns;
	std::uint64_t cut = 0;
	for (Wait &wait : stall.waits) {
		const std::uint64_t begin_ns = std::max(wait.start_ns, stall.start_ns);
		const std::uint64_t room_ns = end_ns - std::min(end_ns, begin_ns);
		if (wait.duration_ns > room_ns + slack_ns) {
			wait.duration_ns = room_ns;
			wait.run_delay_ns = std::min(wait.run_delay_ns, room_ns);
			cut++;
		}
	}
	return cut;
}

void reclassify(Breakdown &breakdown, Cause from, Cause to, std::uint64_t ns, std::uint64_t count) {
	CausePart &source = part_of(breakdown, from);
	const CausePart moved{std::min(ns, source.ns), std::min(count, source.count)};
	source.ns -= moved.ns;
	source.count -= moved.count;
	part_of(breakdown, to).ns += moved.ns;
	part_of(breakdown, to).count += moved.count;
}

void balance(Breakdown &breakdown, std::uint64_t duration_ns) {
	part_of(breakdown, Cause::cpu) = {};
	std::uint64_t off = 0;
	for (const CausePart &part : breakdown) {
		off += part.ns;
	}
	part_of(breakdown, Cause::cpu) = {duration_ns > off ? duration_ns - off : 0, 1};
}

} // namespace loopsnoop::analysis
