// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "stacks/byte_cursor.h"
#include "stacks/unwind_row.h"

namespace loopsnoop::stacks {

// A common information entry (DWARF 5, section 6.4.1; its augmentations: LSB core, "Exception Frames").
struct CommonEntry {
	std::uint64_t code_alignment = 1;
	std::int64_t data_alignment = 1;
	std::uint8_t pointer_encoding = 0; // of the addresses in frame descriptions: DW_EH_PE_…
	bool has_augmentation_size = false;
	bool signal_frame = false;
	std::vector<std::uint8_t> instructions;
};

// A pointer as `encoding` says; `field_address` is where the field itself lies, `data_base` what DW_EH_PE_datarel counts from.
[[nodiscard]] std::optional<std::uint64_t> read_encoded(ByteCursor &cursor, std::uint8_t encoding, std::uint64_t field_address,
                                                        std::uint64_t data_base);

// Runs the call frame instructions of a frame description that starts at `function_start` up to `address`.
// nullopt: an instruction that is unknown or broken. The time is bounded by the number of bytes.
[[nodiscard]] std::optional<UnwindRow> run_cfi(const CommonEntry &common, std::span<const std::uint8_t> instructions,
                                               std::uint64_t function_start, std::uint64_t address);

} // namespace loopsnoop::stacks
