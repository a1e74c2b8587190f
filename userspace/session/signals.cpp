// SPDX-License-Identifier: Apache-2.0
#include "session/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace loopsnoop::session {

Result<UniqueFd> take_signals() {
	sigset_t set;
	sigemptyset(&set);
	for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGWINCH}) {
		sigaddset(&set, signal);
	}
	sigprocmask(SIG_BLOCK, &set, nullptr);
	(void)std::signal(SIGPIPE, SIG_IGN);
	UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
	if (!fd.valid()) {
		return errno_error("take signals");
	}
	return fd;
}

Signals read_signals(int fd) {
	Signals signals;
	signalfd_siginfo info{};
	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP) {
			signals.stop = true;
			signals.hangup = signals.hangup || (info.ssi_signo == SIGHUP && info.ssi_code <= 0);
			signals.forward = info.ssi_code <= 0 ? static_cast<int>(info.ssi_signo) : 0;
		} else if (info.ssi_signo == SIGWINCH) {
			signals.winch = true;
		}
	}
	return signals;
}

} // namespace loopsnoop::session
