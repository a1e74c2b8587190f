// SPDX-License-Identifier: Apache-2.0
// The unwinder of elfutils (libdwfl) beside ours: what a stack costs, what files stay in memory, and what broken files do.
//
//   bench_dwfl stacks TIMES PID...        first and warm stack of each process's main thread, and memory after all of them
//   bench_dwfl broken libdwfl|ours N FILE   N broken copies of FILE, one process each: how many crash, or take longer than 10 s
//
// The processes are stopped for the moment in which their registers and 64 KiB of stack are copied. One line of JSON.
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gelf.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "foreign/bytes.h"
#include "process/memory.h"
#include "stacks/module.h"
#include "stacks/symbolizer.h"

using namespace loopsnoop;
using Bytes = std::vector<std::uint8_t>;

namespace {

constexpr std::size_t stack_bytes = 65536;
constexpr unsigned patience_s = 10;

int fail(std::string_view why) {
	fmt::print(stderr, "bench: {}\n", why);
	return 1;
}

double us_of(auto &&work) {
	const std::uint64_t start = monotonic_ns();
	work();
	return static_cast<double>(monotonic_ns() - start) / 1000;
}

double resident_mib() {
	std::ifstream status("/proc/self/statm");
	std::uint64_t all = 0;
	std::uint64_t resident = 0;
	status >> all >> resident;
	return static_cast<double>(resident) * 4096 / (1024.0 * 1024);
}

std::optional<RawStack> copy_stack(std::uint32_t pid) {
	const auto tid = static_cast<pid_t>(pid);
	if (ptrace(PTRACE_SEIZE, tid, nullptr, nullptr) != 0 || ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr) != 0 ||
	    waitpid(tid, nullptr, __WALL) != tid) {
		return std::nullopt;
	}
	user_regs_struct regs{};
	RawStack raw;
	raw.from = StackFrom::captured;
	raw.pid = raw.tid = pid;
	raw.have_registers = ptrace(PTRACE_GETREGS, tid, nullptr, &regs) == 0;
	raw.registers.r = {regs.rax, regs.rdx, regs.rcx, regs.rbx, regs.rsi, regs.rdi, regs.rbp, regs.rsp, regs.r8,
	                   regs.r9,  regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15, regs.rip};
	raw.stack_address = regs.rsp;
	raw.stack_bytes.resize(stack_bytes);
	raw.stack_bytes.resize(process::TargetMemory(pid).read_some(regs.rsp, std::as_writable_bytes(std::span(raw.stack_bytes))));
	ptrace(PTRACE_DETACH, tid, nullptr, nullptr);
	return raw.have_registers ? std::optional(raw) : std::nullopt;
}

// libdwfl's session of one process, which reads the copy instead of the process.
class DwflProcess {
public:
	explicit DwflProcess(const RawStack &raw) : raw_(raw) {
		static char *no_debug_path = nullptr;
		static const Dwfl_Callbacks callbacks{dwfl_linux_proc_find_elf, dwfl_standard_find_debuginfo, nullptr, &no_debug_path};
		dwfl_ = dwfl_begin(&callbacks);
		dwfl_linux_proc_report(dwfl_, static_cast<pid_t>(raw.pid));
		dwfl_report_end(dwfl_, nullptr, nullptr);
		static const Dwfl_Thread_Callbacks threads{next_thread, nullptr, read_word, set_registers, nullptr, nullptr};
		dwfl_attach_state(dwfl_, nullptr, static_cast<pid_t>(raw.pid), &threads, this);
	}
	DwflProcess(const DwflProcess &) = delete;
	DwflProcess(DwflProcess &&) = delete;
	DwflProcess &operator=(const DwflProcess &) = delete;
	DwflProcess &operator=(DwflProcess &&) = delete;
	~DwflProcess() { dwfl_end(dwfl_); }

	// Frames with their names and lines, as ours does it; the number of frames.
	std::size_t stack() {
		frames_ = 0;
		dwfl_getthread_frames(dwfl_, static_cast<pid_t>(raw_.tid), on_frame, this);
		return frames_;
	}

private:
	static pid_t next_thread(Dwfl *, void *argument, void **of_thread) {
		if (*of_thread != nullptr) {
			return 0;
		}
		*of_thread = argument;
		return static_cast<pid_t>(static_cast<DwflProcess *>(argument)->raw_.tid);
	}
	static bool read_word(Dwfl *, Dwarf_Addr address, Dwarf_Word *word, void *argument) {
		const RawStack &raw = static_cast<DwflProcess *>(argument)->raw_;
		if (address < raw.stack_address || address - raw.stack_address + sizeof(*word) > raw.stack_bytes.size()) {
			return false;
		}
		std::memcpy(word, raw.stack_bytes.data() + (address - raw.stack_address), sizeof(*word));
		return true;
	}
	static bool set_registers(Dwfl_Thread *thread, void *argument) {
		const RawStack &raw = static_cast<DwflProcess *>(argument)->raw_;
		return dwfl_thread_state_registers(thread, 0, UserRegisters::count, raw.registers.r.data());
	}
	static int on_frame(Dwfl_Frame *frame, void *argument) {
		auto &self = *static_cast<DwflProcess *>(argument);
		Dwarf_Addr pc = 0;
		bool activation = false;
		if (!dwfl_frame_pc(frame, &pc, &activation)) {
			return DWARF_CB_ABORT;
		}
		self.frames_++;
		const Dwarf_Addr address = activation ? pc : pc - 1;
		if (Dwfl_Module *const module = dwfl_addrmodule(self.dwfl_, address)) {
			self.names_ += dwfl_module_addrname(module, address) != nullptr ? 1 : 0;
			self.names_ += dwfl_module_getsrc(module, address) != nullptr ? 1 : 0;
		}
		return DWARF_CB_OK;
	}

	RawStack raw_;
	Dwfl *dwfl_ = nullptr;
	std::size_t frames_ = 0;
	std::size_t names_ = 0;
};

struct Cost {
	double first_us = 0;
	double warm_us = 0;
	std::size_t frames = 0;
};

Cost cost_of(auto &&stack, long times) {
	Cost cost;
	cost.first_us = us_of([&] { cost.frames = stack(); });
	std::vector<double> warm;
	for (long i = 0; i < times; i++) {
		warm.push_back(us_of([&] { cost.frames = stack(); }));
	}
	std::sort(warm.begin(), warm.end());
	cost.warm_us = warm[warm.size() / 2];
	return cost;
}

nlohmann::json to_json(std::uint32_t pid, const Cost &cost) {
	return {{"pid", pid}, {"first_us", cost.first_us}, {"warm_us", cost.warm_us}, {"frames", cost.frames}};
}

int measure_stacks(long times, const std::vector<std::uint32_t> &pids) {
	std::vector<RawStack> stacks;
	for (const std::uint32_t pid : pids) {
		auto raw = copy_stack(pid);
		if (!raw) {
			return fail(fmt::format("cannot read the stack of process {}", pid));
		}
		stacks.push_back(std::move(*raw));
	}
	nlohmann::json ours = nlohmann::json::array();
	nlohmann::json theirs = nlohmann::json::array();
	const double before_mib = resident_mib();
	stacks::Symbolizer symbolizer{process::ProcFs()};
	for (const RawStack &raw : stacks) {
		ours.push_back(to_json(raw.pid, cost_of([&] { return symbolizer.native_and_kernel(raw).native.size(); }, times)));
	}
	const double ours_mib = resident_mib() - before_mib;
	std::vector<std::unique_ptr<DwflProcess>> sessions;
	for (const RawStack &raw : stacks) {
		theirs.push_back(to_json(raw.pid, cost_of(
		                                      [&, first = true]() mutable {
			                                      if (first) {
				                                      sessions.push_back(std::make_unique<DwflProcess>(raw));
				                                      first = false;
			                                      }
			                                      return sessions.back()->stack();
		                                      },
		                                      times)));
	}
	const double theirs_mib = resident_mib() - before_mib - ours_mib;
	fmt::print("{}\n", nlohmann::json{{"ours", {{"stacks", ours}, {"mib", ours_mib}}},
	                                  {"libdwfl", {{"stacks", theirs}, {"mib", theirs_mib}}}}
	                       .dump());
	return 0;
}

// As tests/unit/stacks/hostile_elf_test.cpp breaks its files.
Bytes broken(const Bytes &whole, unsigned seed) {
	std::mt19937 random(seed); // NOLINT(cert-msc32-c,cert-msc51-cpp): each failure can be had again
	Bytes bytes = whole;
	const std::size_t changes = 1 + random() % 64;
	for (std::size_t i = 0; i < changes; ++i) {
		bytes[random() % bytes.size()] =
		    seed % 3 == 0 ? static_cast<std::uint8_t>(random()) : static_cast<std::uint8_t>(1U << (random() % 8U));
	}
	std::copy_n(whole.begin(), 20, bytes.begin());
	return bytes;
}

void ask_ours(UniqueFd file) {
	const auto image = stacks::open_image(foreign::File::of(std::move(file)));
	if (!image) {
		return;
	}
	stacks::Module module(image);
	const stacks::DebugSearch search{"/nowhere", [](const std::string &) { return stacks::FileOfTarget{}; }};
	for (std::uint64_t address = 0x1000; address < 0x1400; address += 7) {
		static_cast<void>(module.row(address));
		static_cast<void>(module.places(address, search));
	}
}

void ask_libdwfl(UniqueFd file) {
	static char *no_debug_path = nullptr;
	static const Dwfl_Callbacks callbacks{dwfl_build_id_find_elf, dwfl_standard_find_debuginfo, dwfl_offline_section_address,
	                                      &no_debug_path};
	Dwfl *const dwfl = dwfl_begin(&callbacks);
	dwfl_report_begin(dwfl);
	const std::string path = fmt::format("/proc/self/fd/{}", file.get());
	Dwfl_Module *const module = dwfl_report_elf(dwfl, "broken", path.c_str(), file.release(), 0, false);
	dwfl_report_end(dwfl, nullptr, nullptr);
	Dwarf_Addr bias = 0;
	Dwarf_CFI *const cfi = module != nullptr ? dwfl_module_eh_cfi(module, &bias) : nullptr;
	for (std::uint64_t address = 0x1000; module != nullptr && address < 0x1400; address += 7) {
		Dwarf_Frame *frame = nullptr;
		if (cfi != nullptr && dwarf_cfi_addrframe(cfi, address, &frame) == 0) {
			std::free(frame); // NOLINT(cppcoreguidelines-no-malloc): as libdw says
		}
		static_cast<void>(dwfl_module_addrname(module, address));
		static_cast<void>(dwfl_module_getsrc(module, address));
		Dwarf_Addr unit_bias = 0;
		Dwarf_Die *const unit = dwfl_module_addrdie(module, address, &unit_bias);
		Dwarf_Die *scopes = nullptr;
		if (unit != nullptr && dwarf_getscopes(unit, address - unit_bias, &scopes) > 0) {
			std::free(scopes); // NOLINT(cppcoreguidelines-no-malloc)
		}
	}
	dwfl_end(dwfl);
}

int break_files(bool libdwfl, unsigned copies, const std::string &path) {
	std::ifstream file(path, std::ios::binary);
	const Bytes whole((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
	if (whole.size() < 64) {
		return fail("no such file: " + path);
	}
	unsigned crashes = 0;
	unsigned hangs = 0;
	std::vector<unsigned> seeds;
	// Number 0 is the file as it is: where that does not end well, the figures say nothing.
	for (unsigned seed = 0; seed <= copies; ++seed) {
		const Bytes bytes = seed == 0 ? whole : broken(whole, seed);
		const pid_t child = fork();
		if (child == 0) {
			alarm(patience_s);
			UniqueFd copy(memfd_create("broken", MFD_CLOEXEC));
			if (write(copy.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
				_exit(1);
			}
			libdwfl ? ask_libdwfl(std::move(copy)) : ask_ours(std::move(copy));
			_exit(0);
		}
		int status = 0;
		if (child < 0 || waitpid(child, &status, 0) != child || (WIFEXITED(status) && WEXITSTATUS(status) != 0)) {
			return fail("a copy could not be tried");
		}
		if (WIFSIGNALED(status) && seed == 0) {
			return fail(fmt::format("the file as it is ends with signal {}", WTERMSIG(status)));
		}
		if (WIFSIGNALED(status)) {
			(WTERMSIG(status) == SIGALRM ? hangs : crashes)++;
			seeds.push_back(seed);
		}
	}
	fmt::print("{}\n", nlohmann::json{{"copies", copies}, {"crashes", crashes}, {"hangs", hangs}, {"seeds", seeds}}.dump());
	return 0;
}

} // namespace

int main(int argc, char *argv[]) {
	const std::vector<std::string> words(argv + 1, argv + argc);
	if (words.size() >= 3 && words[0] == "stacks") {
		std::vector<std::uint32_t> pids;
		for (std::size_t i = 2; i < words.size(); i++) {
			pids.push_back(static_cast<std::uint32_t>(std::strtoul(words[i].c_str(), nullptr, 10)));
		}
		return measure_stacks(std::max(1L, std::strtol(words[1].c_str(), nullptr, 10)), pids);
	}
	if (words.size() == 4 && words[0] == "broken" && (words[1] == "libdwfl" || words[1] == "ours")) {
		return break_files(words[1] == "libdwfl", static_cast<unsigned>(std::strtoul(words[2].c_str(), nullptr, 10)), words[3]);
	}
	return fail("usage: bench_dwfl stacks TIMES PID... | bench_dwfl broken libdwfl|ours N FILE");
}
