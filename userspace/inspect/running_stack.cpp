// SPDX-License-Identifier: Apache-2.0
#include "inspect/running_stack.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace loopsnoop::inspect {

namespace {

constexpr int samples = 20;
constexpr auto pause = std::chrono::milliseconds(1);
constexpr std::size_t max_threads = 64;

struct Seen {
	int count = 0;
	std::vector<SourceFrame> frames;
};

std::string key_of(const std::vector<SourceFrame> &frames) {
	std::string key;
	for (const SourceFrame &frame : frames) {
		key += frame.function + '\n' + frame.file + '\n';
	}
	return key; // not the lines: a loop goes from one to the next
}

bool is_whole(const std::vector<SourceFrame> &frames) {
	return !frames.empty() && std::ranges::none_of(frames, [](const SourceFrame &frame) { return frame.function == "?"; });
}

} // namespace

void sample_running(Programs &programs, Dump &dump) {
	auto *python = programs.interpreter(dump.pid);
	std::vector<ThreadView *> running;
	for (ThreadView &thread : dump.threads) {
		const bool runs = thread.state == ThreadView::State::running || thread.state == ThreadView::State::runnable;
		if (runs && !thread.stack && running.size() < max_threads) {
			running.push_back(&thread);
		}
	}
	if (python == nullptr || running.empty()) {
		return;
	}
	std::map<ThreadView *, std::map<std::string, Seen>> seen;
	for (int i = 0; i < samples; ++i) {
		const auto threads = python->threads();
		for (ThreadView *thread : running) {
			const auto state = python->thread_state(thread->tid, 0, threads);
			auto frames = state ? python->resolve(python->frames(*state)) : std::vector<SourceFrame>();
			if (is_whole(frames)) {
				Seen &one = seen[thread][key_of(frames)];
				++one.count;
				one.frames = std::move(frames);
			}
		}
		std::this_thread::sleep_for(pause);
	}
	for (auto &[thread, stacks] : seen) {
		const auto most = std::ranges::max_element(stacks, {}, [](const auto &entry) { return entry.second.count; });
		Stack stack;
		stack.python = std::move(most->second.frames);
		thread->stack = std::move(stack);
	}
}

} // namespace loopsnoop::inspect
