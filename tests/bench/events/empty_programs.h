// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"

struct empty_bpf;
struct bpf_link;
struct bpf_program;

namespace loopsnoop::bench {

// Programs that do nothing, on every hook that loopsnoop attaches to with its default options. Gone when it is destroyed, which
// takes the kernel a second or two.
class EmptyPrograms {
public:
	static Result<EmptyPrograms> attach();

private:
	struct Destroy {
		void operator()(empty_bpf *skeleton) const;
		void operator()(bpf_link *link) const;
	};

	EmptyPrograms() = default;
	Result<void> attach_to(bpf_program *program, int tracepoint_id);

	std::unique_ptr<empty_bpf, Destroy> skeleton_;
	std::vector<std::unique_ptr<bpf_link, Destroy>> links_; // destroyed first
};

} // namespace loopsnoop::bench
