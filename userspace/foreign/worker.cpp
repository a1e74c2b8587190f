// SPDX-License-Identifier: Apache-2.0
#include "foreign/worker.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <span>
#include <vector>

#include "base/capabilities.h"
#include "base/clock.h"
#include "base/confinement.h"
#include "foreign/wire.h"

namespace loopsnoop::foreign {

namespace {

// CAP_CHECKPOINT_RESTORE came with Linux 5.9; before, map_files asked for CAP_SYS_ADMIN.
bool kernel_has_checkpoint_restore() { return prctl(PR_CAPBSET_READ, CAP_CHECKPOINT_RESTORE) >= 0; }

void give_up_rights() {
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)keep_capabilities({CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
	                         kernel_has_checkpoint_restore() ? unsigned{CAP_CHECKPOINT_RESTORE} : unsigned{CAP_SYS_ADMIN}});
}

// A worker that hangs outlives us, and must not keep a pipe or a terminal of ours open until then.
void let_go_of_everything_but(int kept) {
	const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
	for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
		(void)::dup2(null, standard);
	}
	constexpr unsigned first = 3;
	constexpr unsigned last = ~0U;
	const auto middle = static_cast<unsigned>(kept);
	if (middle > first) {
		(void)::close_range(first, middle - 1, 0);
	}
	(void)::close_range(middle + 1, last, 0);
	(void)::chdir("/");
}

// What ends loopsnoop goes to its whole group, or unit: they end with it.
void outlive_signals(pid_t parent) {
	for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGTSTP}) {
		(void)std::signal(ignored, SIG_IGN);
	}
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, nullptr);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) {
		_exit(0);
	}
}

[[noreturn]] void work(int socket, const Perform &perform) {
	std::vector<std::byte> buffer(max_answer);
	while (const auto asked = receive_question(socket)) {
		const std::span into = std::span(buffer).first(asked->wanted);
		const std::uint64_t begin_ns = monotonic_ns();
		Answer answer = perform(asked->question, into);
		answer.took_ns = monotonic_ns() - begin_ns;
		if (!send_answer(socket, asked->number, answer, into.first(answer.bytes))) {
			break;
		}
	}
	_exit(0);
}

class Spawning {
public:
	Spawning(int socket, const Perform &perform) : socket_(socket), perform_(perform) {}

	[[noreturn]] void run() {
		while (const auto request = receive_file(socket_)) {
			reap();
			if (request->number == new_worker) {
				fork_worker();
			} else if (std::ranges::find(workers_, request->number) != workers_.end()) { // not reaped: the pid is its own still
				(void)::kill(static_cast<pid_t>(request->number), SIGKILL);
			}
		}
		for (const pid_t worker : workers_) {
			(void)::kill(worker, SIGKILL);
		}
		_exit(0);
	}

private:
	void reap() {
		std::erase_if(workers_, [](pid_t worker) { return ::waitpid(worker, nullptr, WNOHANG) != 0; });
	}

	void fork_worker() {
		std::array<int, 2> ends{-1, -1};
		if (workers_.size() >= max_workers || ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
			send_file(socket_, workers_.size() >= max_workers ? -EAGAIN : -errno, -1);
			return;
		}
		UniqueFd asker(ends[0]), answerer(ends[1]);
		const pid_t self = getpid();
		const pid_t worker = ::fork();
		if (worker == 0) {
			outlive_signals(self);
			asker.reset();
			::close(socket_);
			work(answerer.get(), perform_);
		}
		if (worker > 0) {
			workers_.push_back(worker);
		}
		send_file(socket_, worker > 0 ? worker : -errno, worker > 0 ? asker.get() : -1);
	}

	int socket_;
	const Perform &perform_;
	std::vector<pid_t> workers_;
};

} // namespace

Result<Spawner> fork_spawner(Perform perform) {
	std::array<int, 2> ends{-1, -1};
	if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
		return errno_error("make a socket for the process that opens files");
	}
	Spawner spawner{UniqueFd(ends[0]), -1};
	UniqueFd answerer(ends[1]);
	const pid_t self = getpid();
	spawner.pid = ::fork();
	if (spawner.pid < 0) {
		return errno_error("start the process that opens files");
	}
	if (spawner.pid == 0) {
		(void)prctl(PR_SET_NAME, "loopsnoop-files");
		outlive_signals(self);
		let_go_of_everything_but(answerer.get());
		give_up_rights();
		(void)confine(); // where the kernel has no seccomp, what is above has to do
		Spawning(answerer.get(), perform).run();
	}
	return spawner;
}

} // namespace loopsnoop::foreign
