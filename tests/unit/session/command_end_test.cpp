// SPDX-License-Identifier: Apache-2.0
// How a session ends that began a command: with it, or without it where it does not end. The commands are real, the clock is not.
#include "session/command_end.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <vector>

#include "catch.h"
#include "fakes/fake_world.h"

using namespace loopsnoop;
using session::CommandEnd;

namespace {

struct Command {
	std::optional<discovery::Launch> launch;
	FixtureTree tree;
	process::ProcFs proc{tree.root()};
	std::uint64_t now = 1000 * ms;
	unsigned slept = 0;
	session::Clock clock{[this] { return now; }, [this] { return now; },
	                     [this](std::uint64_t until_ns, std::initializer_list<int> /*descriptors*/) {
		                     now = until_ns;
		                     slept++;
		                     siginfo_t ended{}; // it is about to end: what takes a while is no part of the test
		                     (void)waitid(P_PID, static_cast<id_t>(launch->pid()), &ended, WEXITED | WNOWAIT);
	                     }};
	CommandEnd end{launch, proc, clock};

	explicit Command(const std::vector<std::string> &words) {
		auto forked = discovery::Launch::fork(words);
		REQUIRE(forked);
		launch.emplace(std::move(*forked));
		REQUIRE(launch->go());
	}
	Command(const Command &) = delete;
	Command &operator=(const Command &) = delete;
	Command(Command &&) = delete;
	Command &operator=(Command &&) = delete;
	~Command() {
		if (!launch->status()) {
			(void)kill(launch->pid(), SIGKILL);
			(void)waitpid(launch->pid(), nullptr, 0);
		}
	}
	// As its /proc has it from now on.
	void state(char letter) const {
		const auto pid = static_cast<unsigned>(launch->pid());
		tree.process(pid, "command", pid, letter);
	}
};

} // namespace

TEST_CASE("without a command a session that is to end does") {
	std::optional<discovery::Launch> none;
	const process::ProcFs proc;
	const session::Clock clock;
	CommandEnd end(none, proc, clock);
	CHECK(end.obey(SIGTERM) == CommandEnd::Next::end);
	CHECK_FALSE(end.hangs());
	CHECK_FALSE(end.status(true));
}

TEST_CASE("a command that is told to end gets the signal, and is waited for") {
	Command command({"/bin/sleep", "60"});
	CHECK(command.end.obey(SIGTERM) == CommandEnd::Next::go_on);
	const auto status = command.end.status(true);
	REQUIRE(status);
	REQUIRE(WIFSIGNALED(*status));
	CHECK(WTERMSIG(*status) == SIGTERM);
	CHECK(command.slept <= 1);
	CHECK(command.end.obey(SIGTERM) == CommandEnd::Next::end); // it has ended
}

TEST_CASE("a second signal is for loopsnoop alone") {
	Command command({"/bin/sleep", "60"});
	CHECK(command.end.obey(0) == CommandEnd::Next::go_on); // it has that Ctrl-C already
	CHECK_FALSE(command.end.status(false));
	CHECK(command.end.obey(SIGTERM) == CommandEnd::Next::end);
	CHECK_FALSE(command.end.status(false));
}

TEST_CASE("a command that no signal reaches is not waited for, if it is seen so twice") {
	Command command({"/bin/sleep", "60"});
	command.state('D');
	CHECK_FALSE(command.end.hangs()); // nobody told it to end
	CHECK(command.end.obey(0) == CommandEnd::Next::go_on);
	command.now += 499 * ms;
	CHECK_FALSE(command.end.hangs());
	command.now += 1 * ms;
	CHECK_FALSE(command.end.hangs());
	SECTION("which it is") {
		command.now += 249 * ms;
		CHECK_FALSE(command.end.hangs());
		command.now += 1 * ms;
		CHECK(command.end.hangs());
	}
	SECTION("unless it was on its way out") {
		command.state('S');
		command.now += 250 * ms;
		CHECK_FALSE(command.end.hangs());
		command.state('D');
		command.now += 250 * ms;
		CHECK_FALSE(command.end.hangs());
	}
}
