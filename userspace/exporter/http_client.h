// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/unique_fd.h"

namespace loopsnoop::exporter {

// One connection of the server: its head comes, the answer goes, then what the client still sends is thrown away until it closes.
class HttpClient {
public:
	enum class State : std::uint8_t { reading, ready, sending, draining, gone };

	HttpClient(UniqueFd socket, std::uint64_t now_ns) : socket_(std::move(socket)), since_ns_(now_ns) {}

	[[nodiscard]] int fd() const { return socket_.get(); }
	[[nodiscard]] State state() const { return state_; }
	[[nodiscard]] short wanted_events() const; // of poll(2)
	// When it came, or when its answer was begun: who is slow is slow from here on.
	[[nodiscard]] std::uint64_t since_ns() const { return since_ns_; }
	[[nodiscard]] std::uint64_t deadline_ns() const;
	[[nodiscard]] const std::string &head() const { return head_; } // in State::ready; complete, or too long
	[[nodiscard]] const std::shared_ptr<const std::string> &answer() const { return answer_; }

	// Reads or writes what goes without waiting.
	void go_on();
	// `answer` is the whole of it; several clients may be sent the same.
	void send(std::shared_ptr<const std::string> answer, std::uint64_t now_ns);

	// Its place is needed by others.
	void give_up() {
		state_ = State::gone;
		answer_.reset();
	}

private:
	void read_head();
	void write_answer();
	void drain();

	UniqueFd socket_;
	State state_ = State::reading;
	std::uint64_t since_ns_;
	std::string head_;
	std::shared_ptr<const std::string> answer_;
	std::size_t sent_ = 0;
};

} // namespace loopsnoop::exporter
