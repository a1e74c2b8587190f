// SPDX-License-Identifier: Apache-2.0
#include "elf/work_limit.h"

#include <algorithm>
#include <ctime>

#include "base/clock.h"
#include "foreign/access.h"
#include "foreign/time_budget.h"

namespace loopsnoop::elf {
namespace {

#ifdef __OPTIMIZE__
constexpr std::uint64_t slowness = 1;
#else
constexpr std::uint64_t slowness = 3;
#endif

std::uint64_t spent() {
	constexpr std::uint64_t ns_per_s = 1'000'000'000;
	timespec now{};
	::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * ns_per_s + static_cast<std::uint64_t>(now.tv_nsec) +
	       foreign::access().time_of_questions_ns();
}

thread_local WorkLimit *in_force = nullptr;
thread_local foreign::TimeBudget budget;

} // namespace

WorkLimit::WorkLimit(std::uint32_t pid, std::uint64_t cpu) : pid_(pid), counts_(in_force == nullptr) {
	if (counts_) {
		in_force = this;
		began_ns_ = spent();
		end_ns_ = began_ns_ + std::min(cpu, budget.left_ns(pid, monotonic_ns())) * slowness;
	}
}

WorkLimit::~WorkLimit() {
	if (counts_) {
		in_force = nullptr;
		budget.charge(pid_, (spent() - began_ns_) / slowness, monotonic_ns());
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

std::uint64_t WorkLimit::spent_ns() { return in_force == nullptr ? 0 : (spent() - in_force->began_ns_) / slowness; }

void WorkLimit::refuse() {
	if (in_force != nullptr) {
		in_force->hit_ = true;
	}
}

} // namespace loopsnoop::elf
