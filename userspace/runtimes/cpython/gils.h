// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/python_layout.h"
#include "process/memory.h"
#include "runtimes/cpython/offsets.h"

namespace loopsnoop::runtimes::cpython {

// Addresses [begin, end) in the target.
struct AddressRange {
	std::uint64_t begin = 0;
	std::uint64_t end = 0;
	bool operator==(const AddressRange &) const = default;
};

// Where the GILs of one process's interpreters are, and what is in them: with sub-interpreters of 3.12 and later there may be
// several. A GIL goes by its address. Everything is read anew at each call; what it is given outlives it.
class Gils {
public:
	// `runtime`: address of _PyRuntime.
	Gils(const process::Memory &memory, const Offsets &offsets, std::uint64_t runtime)
	    : memory_(memory), offsets_(offsets), runtime_(runtime) {}

	// That of an interpreter (the address of its PyInterpreterState). nullopt: not made yet, or it could not be read.
	[[nodiscard]] std::optional<std::uint64_t> of(std::uint64_t interpreter) const;
	[[nodiscard]] std::optional<std::uint64_t> of_main() const;
	// The PyThreadState of who holds it at this moment; 0: nobody does.
	[[nodiscard]] std::uint64_t holder(std::uint64_t gil) const;
	// Where the futexes of each are: mutex, condition, switch condition and its mutex.
	[[nodiscard]] std::vector<AddressRange> ranges() const;
	// Sets what the layout has of a GIL to this one.
	void place(PythonLayout &layout, std::uint64_t gil) const;

private:
	const process::Memory &memory_;
	const Offsets &offsets_;
	std::uint64_t runtime_;
};

} // namespace loopsnoop::runtimes::cpython
