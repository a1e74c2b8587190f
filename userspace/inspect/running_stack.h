// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "collector/collector.h"
#include "inspect/inspector.h"
#include "inspect/programs.h"
#include "inspect/resolver.h"
#include "model/dump.h"

namespace loopsnoop::inspect {

// Threads of a dump that are sampled; so many more are only read.
inline constexpr std::size_t max_sampled_threads = 16;

// The stack that was seen most often, of several of one thread. Stacks are alike that went through the same functions, by
// Python's frames where there are any, else by JavaScript's, else by native ones; not the same lines: a loop goes from one to the
// next.
class MostFrequentStack {
public:
	void add(Stack stack);
	// nullopt: none was added.
	[[nodiscard]] std::optional<Stack> take();

private:
	struct Seen {
		std::size_t count = 0;
		Stack latest;
	};
	std::map<std::string, Seen> seen_;
};

// Who is sampled, of the threads that ran as they were looked at and so have no stack: the main thread, then those that were on a
// CPU, then those that waited for one.
[[nodiscard]] std::vector<std::uint32_t> threads_to_sample(const Dump &dump);

// Gives the threads of a dump that ran, and so have no stack, that in which they are found most often within a tenth of a second:
// by samples that the kernel takes of them while they compute. Frames of Python that it could not walk are read from outside
// meanwhile; a frame may then be of one moment and the next of another. Who sleeps afterwards has his stack there. Of the others
// it is said why they have none.
void sample_running(collector::Collector &collector, Inspector &inspector, Programs &programs, Resolver &resolver, Dump &dump);

} // namespace loopsnoop::inspect
