// SPDX-License-Identifier: Apache-2.0
// Sleeps some calls deep, after an exception was thrown and caught; built without frame pointers, in several kinds of
// executables.
#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <string>

namespace target {

struct Job {
	explicit Job(int depth) : depth_(depth) {}
	[[gnu::noinline]] int run(const std::string &name) const;
	int depth_;
};

[[gnu::noinline]] int block(int value) {
	const timespec forever{1000, 0};
	nanosleep(&forever, nullptr); // line 19: real_process_test.cpp knows it
	return value + 1;
}

[[gnu::noinline]] int throws(int value) {
	if (value == 0) {
		throw std::runtime_error("thrown to be caught");
	}
	return value;
}

int Job::run(const std::string &name) const {
	int result = static_cast<int>(name.size());
	try {
		result += throws(0);
	} catch (const std::runtime_error &) {
		result += depth_ > 0 ? Job(depth_ - 1).run(name + "x") + 1 : block(result);
	}
	return result + 1;
}

} // namespace target

int main() {
	std::puts("ready");
	(void)std::fflush(stdout);
	return target::Job(3).run("job") & 1;
}
