// SPDX-License-Identifier: Apache-2.0
#include "output/stall_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "analysis/culprit.h"
#include "analysis/no_end.h"
#include "base/duration.h"
#include "base/escape.h"
#include "model/application.h"
#include "output/chain_text.h"
#include "output/stack_text.h"
#include "summary/ending.h"
#include "summary/number.h"
#include "summary/place.h"
#include "summary/resource.h"
#include "summary/thread.h"
#include "summary/waker.h"

namespace loopsnoop::output {

namespace {

constexpr std::size_t max_shown_waits = 3;   // shown with their stacks, unless everything is
constexpr std::size_t max_shown_threads = 8; // likewise
constexpr std::uint64_t matters = 10;        // a wait of less than a tenth of the stall is not its story

// Stacks of one stall: each is shown where it comes first.
class StacksShown {
public:
	// The lines, or that they are those of a stack above.
	std::string lines(const Stack &stack, const StackStyle &style) {
		std::string text = stack_lines(stack, style);
		if (std::ranges::count(text, '\n') < 2 || shown_.insert(text).second) {
			return text;
		}
		return std::string(style.indent) + style.palette.faint("  the same stack as above") + '\n';
	}

private:
	std::set<std::string> shown_;
};

std::string wait_lines(const Wait &wait, std::uint32_t own_pid, const StallStyle &style, StacksShown &stacks) {
	std::string line = fmt::format("  {} {}", style.palette.cause(name_of(wait.cause)), format_duration(wait.duration_ns));
	if (wait.ongoing) {
		line += " so far";
	}
	if (wait.count > 1) {
		line += fmt::format(" in {} waits", summary::thousands(wait.count));
	}
	if (const std::string call = summary::format_call(wait.syscall, wait.resource); !call.empty()) {
		line += ", " + call;
	}
	constexpr std::uint64_t ms = 1'000'000;
	if (wait.run_delay_ns >= std::max(ms, wait.duration_ns / matters) && wait.cause != Cause::runqueue) {
		line += fmt::format(" ({} of it ready to run, waiting for a CPU)", format_duration(wait.run_delay_ns));
	}
	line += '\n';
	if (wait.stack) {
		line += stacks.lines(*wait.stack, StackStyle{style.palette, style.everything, "    "});
	} else if (wait.stack_from == StackFrom::none) {
		line += style.palette.faint("      no stack was captured") + '\n';
	}
	if (wait.waker && (!wait.waker->interrupt || style.everything)) {
		line += style.palette.faint("      " + printable(summary::format_waker(*wait.waker, own_pid), shown_path_bytes)) + '\n';
		if (style.everything && wait.waker->stack) {
			line += stack_lines(*wait.waker->stack, StackStyle{style.palette, true, "        "});
		}
	}
	return line;
}

// The longest waits, in the order they happened.
std::vector<const Wait *> waits_to_show(const Stall &stall, const StallStyle &style) {
	std::vector<const Wait *> waits;
	for (const Wait &wait : stall.waits) {
		waits.push_back(&wait);
	}
	if (style.everything) {
		return waits;
	}
	std::stable_sort(waits.begin(), waits.end(), [](const Wait *a, const Wait *b) { return a->duration_ns > b->duration_ns; });
	std::size_t shown = 0;
	while (shown < std::min(waits.size(), max_shown_waits) && waits[shown]->duration_ns >= stall.duration_ns / matters) {
		shown++;
	}
	// A hundred short waits of one cause are none of them long: the longest stands for all.
	if (shown == 0 && !waits.empty() && stall.cause != Cause::cpu) {
		shown = 1;
	}
	waits.resize(shown);
	std::sort(waits.begin(), waits.end()); // as they stand in the stall: oldest first
	return waits;
}

std::string wait_section(const Stall &stall, const StallStyle &style, StacksShown &stacks) {
	const std::vector<const Wait *> shown = waits_to_show(stall, style);
	std::string out;
	for (const Wait *wait : shown) {
		out += wait_lines(*wait, stall.pid, style, stacks);
	}
	if (!shown.empty() && shown.size() < stall.waits.size()) {
		std::uint64_t rest_ns = 0;
		for (const Wait &wait : stall.waits) {
			rest_ns += std::find(shown.begin(), shown.end(), &wait) == shown.end() ? wait.duration_ns : 0;
		}
		if (rest_ns >= stall.duration_ns / matters) {
			out += style.palette.faint(fmt::format(
			    "  … {}, {}", summary::plural(stall.waits.size() - shown.size(), "shorter wait"), format_duration(rest_ns)));
			out += '\n';
		}
	}
	return out;
}

std::string cpu_section(const Stall &stall, const StallStyle &style, StacksShown &stacks) {
	std::string out;
	const std::uint64_t cpu_ns = part_of(stall.breakdown, Cause::cpu).ns;
	for (const CpuPart &part : stall.cpu) {
		const bool worth_it = stall.cause == Cause::cpu || cpu_ns >= stall.duration_ns / matters;
		if (!style.everything && (!worth_it || !out.empty())) {
			break;
		}
		out += fmt::format("  {} {}, {}\n", style.palette.cause("cpu"), format_duration(part.ns),
		                   summary::plural(part.samples, "sample"));
		out += stacks.lines(part.stack, StackStyle{style.palette, style.everything, "    "});
	}
	return out;
}

std::string gil_section(const Stall &stall, const StallStyle &style, StacksShown &stacks) {
	std::string out;
	if (!stall.gil || stall.gil->ns < stall.duration_ns / matters) {
		return out;
	}
	constexpr std::size_t max_shown_holders = 2;
	for (std::size_t i = 0; i < stall.gil->holders.size() && (style.everything || i < max_shown_holders); i++) {
		const GilHolding &holder = stall.gil->holders.at(i);
		out += fmt::format("  GIL held by thread {}(tid {}), {}, {}\n",
		                   holder.thread.empty() ? holder.thread : printable(holder.thread) + ' ', holder.tid,
		                   format_duration(holder.ns), summary::plural(holder.samples, "sample"));
		out += stacks.lines(holder.stack, StackStyle{style.palette, style.everything, "    "});
	}
	return out;
}

std::string thread_line(const ThreadView &thread) {
	std::string line = fmt::format("    {} {}: {}", thread.tid, printable(thread.thread), summary::format_state(thread));
	if (thread.stack) {
		const std::vector<SourceFrame> &frames = thread.stack->python.empty() ? thread.stack->javascript : thread.stack->python;
		if (const SourceFrame *own = innermost_application_frame(frames); own != nullptr) {
			line += ", at " + summary::format_frame(*own);
		} else if (!frames.empty()) {
			line += ", at " + summary::format_frame(frames.front());
		} else if (const NativeFrame *native = innermost_application_frame(thread.stack->native); native != nullptr) {
			line += ", at " + summary::format_frame(*native);
		}
	}
	return line;
}

} // namespace

std::string idle_threads_line(const std::vector<const ThreadView *> &idle) {
	constexpr std::size_t max_names = 6;
	std::map<std::string, std::size_t> names;
	for (const ThreadView *thread : idle) {
		names[printable(thread->thread)]++;
	}
	std::string text;
	std::size_t shown = 0;
	for (const auto &[name, count] : names) {
		if (shown++ == max_names) {
			text += ", …";
			break;
		}
		text += fmt::format("{}{}{}", text.empty() ? "" : ", ", name, count > 1 ? fmt::format(" ×{}", count) : "");
	}
	return fmt::format("{} {} for work: {}", summary::plural(idle.size(), "thread"), idle.size() == 1 ? "waits" : "wait", text);
}

// Those that wait for work come last, as one.
std::string thread_section(const std::vector<ThreadView> &threads, const StallStyle &style) {
	if (threads.empty()) {
		return {};
	}
	std::vector<const ThreadView *> busy;
	std::vector<const ThreadView *> idle;
	for (const ThreadView &thread : threads) {
		(analysis::waits_for_work(thread) ? idle : busy).push_back(&thread);
	}
	std::string out = "  other threads of the process\n";
	if (style.everything || idle.size() == 1) {
		busy.insert(busy.end(), idle.begin(), idle.end());
		idle.clear();
	}
	const std::size_t shown = style.everything ? busy.size() : std::min(busy.size(), max_shown_threads);
	for (std::size_t i = 0; i < shown; i++) {
		out += thread_line(*busy[i]) + '\n';
		if (style.everything && busy[i]->stack) {
			out += stack_lines(*busy[i]->stack, StackStyle{style.palette, true, "      "});
		}
	}
	if (shown < busy.size()) {
		out += style.palette.faint(fmt::format("    … {} more (-v shows all)", busy.size() - shown)) + '\n';
	}
	if (!idle.empty()) {
		out += style.palette.faint("    " + idle_threads_line(idle)) + '\n';
	}
	return out;
}

std::string stall_details(const Stall &stall, const StallStyle &style) {
	std::string out;
	const auto parts =
	    std::count_if(stall.breakdown.begin(), stall.breakdown.end(), [](const CausePart &part) { return part.ns > 0; });
	if (parts > 1) {
		out += "  " + summary::format_breakdown(stall.breakdown) + '\n';
	}
	if (const std::string_view note = summary::format_truncation(stall.truncated); !note.empty()) {
		out += fmt::format("  {}\n", note);
	}
	if (stall.advice) {
		out += "  " + style.palette.good("advice: " + printable(*stall.advice, shown_path_bytes)) + '\n';
	}
	StacksShown stacks;
	out += wait_section(stall, style, stacks);
	out += gil_section(stall, style, stacks);
	out += cpu_section(stall, style, stacks);
	out += chain_section(stall, style);
	if (stall.threads) {
		out += thread_section(*stall.threads, style);
	}
	return out;
}

std::string identity(const Stall &stall) {
	std::string key = fmt::format("{}|", name_of(stall.cause));
	const auto add = [&](std::string_view text) { key.append(text.substr(0, shown_path_bytes)).append("|"); };
	if (stall.culprit) {
		add(stall.culprit->function);
		add(stall.culprit->file);
		key += std::to_string(stall.culprit->line.value_or(0));
		return key;
	}
	const Wait *wait = analysis::main_wait(stall);
	const Stack *stack = wait != nullptr && wait->stack ? &*wait->stack : nullptr;
	if (wait != nullptr && wait->syscall) {
		add(*wait->syscall);
	}
	if (stall.cause == Cause::cpu && !stall.cpu.empty()) {
		stack = &stall.cpu.front().stack;
	}
	if (stack == nullptr) {
		return key;
	}
	constexpr std::size_t enough = 6; // innermost frames that make a place
	for (const std::vector<SourceFrame> *frames : {&stack->python, &stack->javascript}) {
		for (std::size_t i = 0; i < std::min(frames->size(), enough); i++) {
			add(frames->at(i).function);
			add(frames->at(i).file);
		}
	}
	for (std::size_t i = 0; i < std::min(stack->native.size(), enough) && stack->python.empty(); i++) {
		const NativeFrame &frame = stack->native[i];
		add(frame.function ? *frame.function : fmt::format("{:#x}", frame.offset));
	}
	return key;
}

} // namespace loopsnoop::output
