// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "collector/mapped_table.h"
#include "collector/skeleton.h"
#include "model/event.h"
#include "model/python_layout.h"

namespace loopsnoop::collector {

// How the frames of an interpreter are walked, as the programs have it.
void set_layout(ls_slot_config &config, const PythonLayout &layout);

// What the programs keep of each loop, by slot, and what is set for them of it. For this room alone; threads as Collector says.
// `iteration_start` from any thread. To be gone before the skeleton is.
class LoopTables {
public:
	// capture_bytes: of one element of the table of captures.
	Result<void> map(const loopsnoop_bpf &skeleton, std::size_t slots, std::size_t capture_bytes);

	[[nodiscard]] std::vector<LoopState> loops() const;
	[[nodiscard]] std::vector<LoopState> busy_loops() const;
	[[nodiscard]] std::optional<LoopState> loop(LoopKey key) const;
	// When the running iteration began, on CLOCK_MONOTONIC; 0: none runs; nullopt: the loop is gone.
	[[nodiscard]] std::optional<std::uint64_t> iteration_start(LoopKey key) const;
	[[nodiscard]] std::optional<RawWait> current_wait(LoopKey key) const;

	void set_python(LoopKey key, const PythonLayout &layout, std::uint64_t tstate);
	// False: there is no such slot.
	bool ignore(LoopKey key, bool ignored);

private:
	[[nodiscard]] std::optional<LoopState> loop_in(std::size_t slot) const;
	[[nodiscard]] ls_slot_config *config_for(LoopKey key);

	MappedTable loops_, configs_;
	int captures_fd_ = -1;
	mutable std::vector<std::byte> capture_; // one element of the table of captures, as it was read last
};

} // namespace loopsnoop::collector
