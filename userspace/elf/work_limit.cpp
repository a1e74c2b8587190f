// SPDX-License-Identifier: Apache-2.0
#include "elf/work_limit.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <map>
#include <string>

#include "base/clock.h"
#include "foreign/access.h"
#include "foreign/time_budget.h"

namespace loopsnoop::elf {
namespace {

std::uint64_t thread_cpu_ns() {
	timespec now{};
	::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * ns_per_s + static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t spent() { return thread_cpu_ns() + foreign::access().time_of_questions_ns(); }

// How many times slower this machine computes than one on which the limits do no harm: an emulated one, or a build without
// optimization. From the quickest of a few runs of what readers of tables do most, names and calls: emulation makes those far
// slower than arithmetic.
double measure_slowness() {
	// Half as long again as on the machine where the limits were tried: 0.34 ms there, 3.7 ms emulated on it by QEMU.
	constexpr double usual_ns = 500'000;
	constexpr double max_ratio = 20;
#ifdef __SANITIZE_ADDRESS__
	constexpr double checked = 4; // AddressSanitizer and UBSan slow readers of tables down by more than they do the measure
#else
	constexpr double checked = 1;
#endif
	constexpr unsigned names = 2000;
	std::uint64_t quickest_ns = ~0ULL;
	for (int run = 0; run < 3; ++run) {
		const std::uint64_t began_ns = thread_cpu_ns();
		std::map<std::string, unsigned> table;
		for (unsigned i = 0; i < names; ++i) {
			table[std::to_string(i * 7919 % names)] += i;
		}
		volatile std::size_t kept = table.size();
		static_cast<void>(kept);
		quickest_ns = std::min(quickest_ns, thread_cpu_ns() - began_ns);
	}
	return checked * std::clamp(static_cast<double>(quickest_ns) / usual_ns, 1.0, max_ratio);
}

std::uint64_t scaled(std::uint64_t usual_ns, double by) { return static_cast<std::uint64_t>(static_cast<double>(usual_ns) * by); }

double slowness() {
	static const double measured = measure_slowness();
	return measured;
}

thread_local WorkLimit *in_force = nullptr;
thread_local foreign::TimeBudget budget;

} // namespace

WorkLimit::WorkLimit(std::uint32_t pid, std::uint64_t cpu) : pid_(pid), counts_(in_force == nullptr) {
	if (counts_) {
		in_force = this;
		began_ns_ = spent();
		end_ns_ = began_ns_ + scaled(std::min(cpu, budget.left_ns(pid, monotonic_ns())), slowness());
	}
}

WorkLimit::~WorkLimit() {
	if (counts_) {
		in_force = nullptr;
		budget.charge(pid_, scaled(spent() - began_ns_, 1 / slowness()), monotonic_ns());
	}
}

bool WorkLimit::hit() { return in_force != nullptr && in_force->hit_; }

bool WorkLimit::used_up() {
	if (in_force == nullptr) {
		return false;
	}
	in_force->hit_ = in_force->hit_ || in_force->bytes_ > max_bytes || spent() > in_force->end_ns_;
	return in_force->hit_;
}

bool WorkLimit::used_up_by_step() {
	constexpr std::uint32_t steps_between = 4096;
	return in_force != nullptr && (++in_force->steps_ % steps_between == 0 ? used_up() : in_force->hit_);
}

void WorkLimit::count_bytes(std::size_t bytes) {
	if (in_force != nullptr) {
		in_force->bytes_ += bytes;
	}
}

std::uint64_t WorkLimit::spent_ns() { return in_force == nullptr ? 0 : scaled(spent() - in_force->began_ns_, 1 / slowness()); }

void WorkLimit::refuse() {
	if (in_force != nullptr) {
		in_force->hit_ = true;
	}
}

} // namespace loopsnoop::elf
