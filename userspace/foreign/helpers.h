// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "foreign/perform.h"
#include "foreign/worker.h"

namespace loopsnoop::foreign {

// The processes that do what may never end. One of them is asked; when it has not answered by its deadline it is given up on, and
// the next question forks another one. It may be beyond SIGKILL (uninterruptible sleep), so nobody waits for it: it stays where
// it is until its file system answers, which is how we learn that it does again. One thread at a time.
class Helpers {
public:
	// More than that are not left waiting: the oldest is killed, if that can be done. See max_workers for those beyond SIGKILL.
	static constexpr std::size_t max_waiting = 8;

	// To be called before this process has threads; see fork_spawner.
	[[nodiscard]] static Result<Helpers> start(Perform perform = foreign::perform);
	Helpers(Helpers &&other) noexcept = default;
	Helpers &operator=(Helpers &&other) = delete;
	Helpers(const Helpers &) = delete;
	Helpers &operator=(const Helpers &) = delete;
	~Helpers();

	struct Outcome {
		std::optional<Answer> answer; // nullopt: none in time
		std::uint64_t given_up = 0;   // the number of this question, when its worker was given up on
	};
	[[nodiscard]] Outcome ask(const Question &question, std::span<std::byte> into, std::uint64_t deadline_ns);

	// Readable when somebody wants an end: from then on no answer is waited for longer than 20 ms. It is not read here. -1: there
	// is none.
	void hurry_by(int descriptor) { hurry_ = descriptor; }

	// Earlier questions whose workers have answered after all, or have died.
	struct Late {
		std::uint64_t question = 0;
		bool answered = false;
	};
	[[nodiscard]] std::vector<Late> take_late();
	[[nodiscard]] std::size_t given_up() const { return stuck_.size(); }

private:
	struct Worker {
		UniqueFd socket;
		pid_t pid = -1;
		std::uint64_t question = 0; // that it has in hand
	};
	explicit Helpers(Spawner spawner) : spawner_(std::move(spawner)) {}
	[[nodiscard]] bool have_worker();

	Spawner spawner_;
	Worker worker_;
	std::vector<Worker> stuck_;
	std::uint64_t questions_ = 0;
	int hurry_ = -1;
};

} // namespace loopsnoop::foreign
