// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "exporter/http_request.h"

namespace loopsnoop::exporter {

struct HttpAnswer {
	int status = 200;
	std::string type; // Content-Type
	std::string body;
};

// A server of small answers for a port that anybody may reach: one thread, which never waits for one client. There is no
// connection that lives on, no TLS, no body of a request. Bounds: `max_clients` connections, each with `head_ns` to send its head
// and `answer_ns` to take the answer; who comes when all places are taken gets the place of the client that has been slow for
// longest. Each answer is made anew, except while `max_bodies` are being sent: then whoever has taken more than `head_ns` over
// one is let go, and if that does not help the latest is sent again.
class HttpServer {
public:
	static constexpr std::size_t max_clients = 64;
	static constexpr std::size_t max_bodies = 4;
	static constexpr std::uint64_t head_ns = 1'000'000'000;
	static constexpr std::uint64_t answer_ns = 10'000'000'000;

	// Called in the server's thread, for GET and HEAD.
	using Handler = std::function<HttpAnswer(const HttpRequest &)>;

	// Listens; `names` beside addresses and localhost are those that a request may be addressed to. The Error has no more than
	// the kernel's reason. The thread has no capability and takes no signal.
	[[nodiscard]] static Result<std::unique_ptr<HttpServer>> start(const std::string &host, std::uint16_t port,
	                                                               std::vector<std::string> names, Handler handler);
	~HttpServer(); // ends the thread, whatever clients do
	HttpServer(const HttpServer &) = delete;
	HttpServer &operator=(const HttpServer &) = delete;
	HttpServer(HttpServer &&) = delete;
	HttpServer &operator=(HttpServer &&) = delete;

	[[nodiscard]] std::uint16_t port() const { return port_; } // the one that was bound, where 0 was asked for

private:
	HttpServer(UniqueFd listening, UniqueFd stop, std::uint16_t port, std::vector<std::string> names, Handler handler);

	UniqueFd stop_; // an eventfd
	std::uint16_t port_;
	std::thread thread_;
};

} // namespace loopsnoop::exporter
