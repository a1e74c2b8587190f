// SPDX-License-Identifier: Apache-2.0
// Functions inside functions, as a relay has them that calls back into itself under its own lock.
#include <time.h>

#include <mutex>
#include <vector>

namespace {

class Directory {
public:
	void forget(int peer) {
		const std::lock_guard<std::mutex> held(mutex_);
		peers_.push_back(peer);
		pause(peer); // line 15
	}

private:
	static void pause(int peer) {
		const timespec time{peer > 1000 ? 0 : 600, 0};
		clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr); // line 21
	}
	std::mutex mutex_;
	std::vector<int> peers_;
};

Directory directory;

} // namespace

__attribute__((noinline)) void drop(int peer) {
	if (peer > 0) {
		directory.forget(peer); // line 33
	}
	asm volatile("" ::: "memory");
}

int main(int argc, char **) {
	drop(argc);
	return 0;
}
