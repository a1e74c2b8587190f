// SPDX-License-Identifier: Apache-2.0
#include "exporter/http_client.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "exporter/http_request.h"
#include "exporter/http_server.h"

namespace loopsnoop::exporter {

namespace {

// Nothing to be had just now; everything else that is negative is an end.
bool would_block(ssize_t n) { return n < 0 && (errno == EAGAIN || errno == EINTR); }

constexpr std::size_t read_bytes = 4096;

} // namespace

short HttpClient::wanted_events() const { return state_ == State::sending ? POLLOUT : POLLIN; }

std::uint64_t HttpClient::deadline_ns() const {
	return since_ns_ + (state_ == State::sending ? HttpServer::answer_ns : HttpServer::head_ns);
}

void HttpClient::go_on() {
	switch (state_) {
	case State::reading: read_head(); break;
	case State::sending: write_answer(); break;
	case State::draining: drain(); break;
	case State::ready:
	case State::gone: break;
	}
}

void HttpClient::read_head() {
	std::array<char, read_bytes> buffer{};
	while (state_ == State::reading) {
		const ssize_t n = recv(socket_.get(), buffer.data(), buffer.size(), 0);
		if (would_block(n)) {
			return;
		}
		if (n <= 0) {
			state_ = State::gone;
			return;
		}
		head_.append(buffer.data(), static_cast<std::size_t>(n));
		if (head_length(head_) != 0 || head_.size() > max_head_bytes) {
			state_ = State::ready;
		}
	}
}

void HttpClient::send(std::shared_ptr<const std::string> answer, std::uint64_t now_ns) {
	answer_ = std::move(answer);
	since_ns_ = now_ns;
	state_ = State::sending;
	write_answer();
}

void HttpClient::write_answer() {
	while (sent_ < answer_->size()) {
		const ssize_t n = ::send(socket_.get(), answer_->data() + sent_, answer_->size() - sent_, MSG_NOSIGNAL);
		if (would_block(n)) {
			return;
		}
		if (n <= 0) {
			state_ = State::gone;
			return;
		}
		sent_ += static_cast<std::size_t>(n);
	}
	answer_.reset();
	// Closing with bytes unread makes the kernel send a reset, which may overtake the answer.
	(void)shutdown(socket_.get(), SHUT_WR);
	state_ = State::draining;
	drain();
}

void HttpClient::drain() {
	constexpr int max_reads = 16; // others wait
	std::array<char, read_bytes> buffer{};
	for (int i = 0; i < max_reads; i++) {
		const ssize_t n = recv(socket_.get(), buffer.data(), buffer.size(), 0);
		if (would_block(n)) {
			return;
		}
		if (n <= 0) {
			state_ = State::gone;
			return;
		}
	}
}

} // namespace loopsnoop::exporter
