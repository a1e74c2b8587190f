// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "abi/knobs.h"
#include "abi/tables.h"

// The generated skeleton is C in a header: it needs these, and is not ours to mend.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wconversion"
#include "loopsnoop.skel.h"
#pragma GCC diagnostic pop

namespace loopsnoop::collector {

struct DestroySkeleton {
	void operator()(loopsnoop_bpf *skeleton) const { loopsnoop_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<loopsnoop_bpf, DestroySkeleton>;

struct DestroyLink {
	void operator()(bpf_link *link) const { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, DestroyLink>;

struct FreeRingBuffer {
	void operator()(ring_buffer *ring) const { ring_buffer__free(ring); }
};
using RingBuffer = std::unique_ptr<ring_buffer, FreeRingBuffer>;

} // namespace loopsnoop::collector
