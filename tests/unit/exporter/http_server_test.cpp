// SPDX-License-Identifier: Apache-2.0
#include "exporter/http_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::exporter;

namespace {

HttpAnswer answer(const HttpRequest &request) {
	if (request.path == "/large") {
		return {200, "text/plain", std::string(8 << 20, 'x')};
	}
	return {200, "text/plain", "body of " + request.path + "\n"};
}

std::unique_ptr<HttpServer> server() {
	auto started = HttpServer::start("127.0.0.1", 0, {"web1"}, answer);
	REQUIRE(started);
	return std::move(*started);
}

class Client {
public:
	explicit Client(const HttpServer &server, const std::string &sent = "")
	    : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
		sockaddr_in address{};
		address.sin_family = AF_INET;
		address.sin_port = htons(server.port());
		address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		REQUIRE(connect(fd_.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0); // NOLINT
		send(sent);
	}
	void send(const std::string &text) const { (void)::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL); }
	[[nodiscard]] std::string all() const {
		std::string got;
		std::array<char, 65536> buffer{};
		for (ssize_t n = 0; (n = recv(fd_.get(), buffer.data(), buffer.size(), 0)) > 0;) {
			got.append(buffer.data(), static_cast<std::size_t>(n));
		}
		return got;
	}

private:
	UniqueFd fd_;
};

std::string ask(const HttpServer &server, const std::string &head) { return Client(server, head + "\r\n\r\n").all(); }

bool has(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("a request is answered with headers that let a browser do nothing") {
	const auto http = server();
	const std::string got = ask(*http, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1");
	CHECK(got.starts_with("HTTP/1.1 200 OK\r\n"));
	CHECK(got.ends_with("\r\n\r\nbody of /metrics\n"));
	CHECK(has(got, "X-Content-Type-Options: nosniff\r\n"));
	CHECK(has(got, "Content-Security-Policy: default-src 'none'"));
	CHECK(has(got, "Content-Length: 17\r\n"));
	const std::string head = ask(*http, "HEAD /metrics HTTP/1.1\r\nHost: web1");
	CHECK(has(head, "Content-Length: 17\r\n"));
	CHECK(head.ends_with("\r\n\r\n"));
}

TEST_CASE("what may not be asked is refused, with the same headers") {
	const auto http = server();
	for (const auto &[head, status] : std::vector<std::pair<std::string, std::string>>{
	         {"GET / HTTP/1.1\r\nHost: evil.example", "421 "},
	         {"GET / HTTP/1.1", "421 "},
	         {"POST / HTTP/1.1\r\nHost: web1", "405 "},
	         {"nonsense", "400 "},
	         {"GET / HTTP/1.1\r\nHost: web1\r\nX: " + std::string(20000, 'x'), "431 "},
	     }) {
		const std::string got = ask(*http, head);
		CHECK(got.starts_with("HTTP/1.1 " + status));
		CHECK(has(got, "nosniff"));
		CHECK_FALSE(has(got, "body of"));
	}
}

TEST_CASE("a large answer comes packed to whoever unpacks, and whole") {
	const auto http = server();
	const std::string packed = ask(*http, "GET /large HTTP/1.1\r\nHost: web1\r\nAccept-Encoding: gzip");
	CHECK(has(packed, "Content-Encoding: gzip\r\n"));
	CHECK(packed.size() < 100000);
	CHECK(has(packed, "\r\n\r\n\x1f\x8b"));
	const std::string whole = ask(*http, "GET /large HTTP/1.1\r\nHost: web1");
	CHECK(whole.size() > (8 << 20));
	CHECK(whole.ends_with("xxxx"));
}

TEST_CASE("hundreds of clients that are slow to ask or never read do not keep others waiting") {
	const auto http = server();
	std::vector<Client> slow;
	slow.reserve(300);
	for (int i = 0; i < 300; i++) {
		slow.emplace_back(*http, i % 3 == 0 ? "GET /large HTTP/1.1\r\nHost: web1\r\n\r\n" : "GET / HTTP/1.1\r\nX: ");
	}
	// Each of them would have its second, or ten: one after the other that were minutes.
	const auto begun = std::chrono::steady_clock::now();
	for (int i = 0; i < 5; i++) {
		CHECK(has(ask(*http, "GET /metrics HTTP/1.1\r\nHost: web1"), "body of /metrics"));
	}
	CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
}

TEST_CASE("a client that never finishes its request is let go, and the server ends while others hang on") {
	auto http = server();
	const Client slow(*http, "GET / HTTP/1.1\r\nX: ");
	CHECK(slow.all().empty()); // returns when the server has closed it
	const Client another(*http, "GET /large HTTP/1.1\r\nHost: web1\r\n\r\n");
	http.reset();
}

TEST_CASE("a port that is taken is an error with the kernel's reason") {
	const auto http = server();
	const auto second = HttpServer::start("127.0.0.1", http->port(), {}, answer);
	REQUIRE_FALSE(second);
	CHECK(second.error().code == EADDRINUSE);
}
