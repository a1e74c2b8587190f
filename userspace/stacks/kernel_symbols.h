// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/stack.h"

namespace loopsnoop::stacks {

// The functions of the running kernel and its modules, from /proc/kallsyms. Read when first asked, within about 60 ms, and
// kept: 4 MiB (each later reading would cost the same 60 ms, nearly all of it inside the kernel).
class KernelSymbols {
public:
	explicit KernelSymbols(std::string path = "/proc/kallsyms") : path_(std::move(path)) {}

	// Without a function when there is none at the address or addresses are hidden.
	[[nodiscard]] KernelFrame find(std::uint64_t address);
	// The kernel shows zeros instead of addresses (kernel.kptr_restrict, or CAP_SYSLOG is missing).
	[[nodiscard]] bool hidden();
	[[nodiscard]] std::size_t size();
	[[nodiscard]] std::size_t bytes() const;

private:
	void load();
	void take_line(std::string_view line);
	void finish();

	static constexpr std::uint32_t no_function = 0xffffffff;
	struct Symbol {
		std::uint64_t address;
		std::uint32_t name; // in names_, or no_function: here begins something that is not code
	};

	std::string path_;
	bool loaded_ = false;
	bool hidden_ = false;
	std::vector<Symbol> building_;   // empty but while loading
	std::vector<std::uint32_t> low_; // distances from arch::kernel_code_base
	std::vector<std::uint32_t> name_;
	std::string names_; // each ends with a NUL
};

} // namespace loopsnoop::stacks
