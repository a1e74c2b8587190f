// SPDX-License-Identifier: Apache-2.0
#include "foreign/helpers.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>
#include <utility>

#include "base/clock.h"
#include "foreign/wire.h"

namespace loopsnoop::foreign {

namespace {

constexpr std::uint64_t hurried_ns = 20'000'000;
constexpr std::uint64_t end_ns = 500'000'000;
constexpr std::uint64_t fork_ns = 500'000'000; // the spawner does nothing but fork

// `hurry`: a descriptor that becomes readable when there is little time left.
bool wait_readable(int socket, std::uint64_t until_ns, int hurry = -1) {
	for (;;) {
		const std::uint64_t now = monotonic_ns();
		const std::uint64_t left = until_ns > now ? until_ns - now : 0;
		const timespec pause{static_cast<time_t>(left / ns_per_s), static_cast<long>(left % ns_per_s)};
		std::array<pollfd, 2> waited{pollfd{socket, POLLIN, 0}, pollfd{hurry, POLLIN, 0}};
		const int ready = ::ppoll(waited.data(), waited.size(), &pause, nullptr);
		if (ready > 0 && waited[0].revents != 0) {
			return true;
		}
		if (ready > 0) {
			hurry = -1;
			until_ns = std::min(until_ns, now + hurried_ns);
			continue;
		}
		if (ready == 0 || errno != EINTR) {
			return false;
		}
	}
}

// It has a CPU, or wants one: nothing keeps it waiting but the host's load.
bool is_runnable(pid_t pid) {
	std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
	std::string line;
	std::getline(file, line);
	const auto name_end = line.rfind(") ");
	return name_end != std::string::npos && line.compare(name_end + 2, 1, "R") == 0;
}

bool wait_for_answer(int socket, pid_t worker, std::uint64_t deadline_ns, int hurry) {
	constexpr int max_waits = 3;
	for (int i = 1; !wait_readable(socket, monotonic_ns() + deadline_ns, hurry); i++) {
		pollfd hurried{hurry, POLLIN, 0};
		if (i == max_waits || ::poll(&hurried, 1, 0) > 0 || !is_runnable(worker)) {
			return false;
		}
	}
	return true;
}

} // namespace

Result<Helpers> Helpers::start(Perform perform) {
	auto spawner = fork_spawner(std::move(perform));
	if (!spawner) {
		return spawner.error();
	}
	return Helpers(std::move(*spawner));
}

Helpers::~Helpers() {
	if (!spawner_.socket.valid()) {
		return; // moved from
	}
	stuck_.clear();
	worker_.socket.reset();
	// Ends it, whoever has inherited this descriptor from us and lives on.
	(void)::shutdown(spawner_.socket.get(), SHUT_RDWR);
	spawner_.socket.reset();
	// It waits for nobody. Should it be stopped, or starved, it is left behind.
	const std::uint64_t until = monotonic_ns() + end_ns;
	for (;;) {
		const pid_t ended = ::waitpid(spawner_.pid, nullptr, WNOHANG);
		if (ended == spawner_.pid || (ended < 0 && errno != EINTR)) {
			return;
		}
		if (monotonic_ns() > until) {
			break;
		}
		(void)::usleep(1000);
	}
	(void)::kill(spawner_.pid, SIGKILL); // not reaped: the pid is its own still
}

bool Helpers::have_worker() {
	if (worker_.socket.valid()) {
		return true;
	}
	if (!send_file(spawner_.socket.get(), new_worker, -1) || !wait_readable(spawner_.socket.get(), monotonic_ns() + fork_ns)) {
		return false;
	}
	auto forked = receive_file(spawner_.socket.get());
	if (!forked || forked->number <= 0 || !forked->file.valid()) {
		return false;
	}
	worker_ = {std::move(forked->file), static_cast<pid_t>(forked->number), 0};
	return true;
}

Helpers::Outcome Helpers::ask(const Question &question, std::span<std::byte> into, std::uint64_t deadline_ns) {
	const std::uint64_t number = ++questions_;
	const std::span room = into.first(std::min(into.size(), max_answer));
	for (int tries = 0; tries < 2; tries++) { // a worker may have been killed since
		if (!have_worker()) {
			return {};
		}
		if (!send_question(worker_.socket.get(), number, question, room.size())) {
			if (errno == ENAMETOOLONG) {
				Answer refused;
				refused.error = ENAMETOOLONG;
				return {std::move(refused), 0};
			}
			worker_ = {};
			continue;
		}
		if (!wait_for_answer(worker_.socket.get(), worker_.pid, deadline_ns, hurry_)) {
			worker_.question = number;
			stuck_.push_back(std::exchange(worker_, {}));
			if (stuck_.size() > max_waiting) {
				send_file(spawner_.socket.get(), stuck_[stuck_.size() - 1 - max_waiting].pid, -1);
			}
			return {std::nullopt, number};
		}
		auto answered = receive_answer(worker_.socket.get(), room);
		if (answered && answered->number == number) {
			return {std::move(answered->answer), 0};
		}
		worker_ = {};
	}
	return {};
}

std::vector<Helpers::Late> Helpers::take_late() {
	std::vector<Late> late;
	std::erase_if(stuck_, [&](const Worker &worker) {
		char first = 0;
		const ssize_t got = ::recv(worker.socket.get(), &first, sizeof first, MSG_PEEK | MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
			return false;
		}
		late.push_back({worker.question, got > 0});
		return true; // its socket is closed, which ends it
	});
	return late;
}

} // namespace loopsnoop::foreign
