// SPDX-License-Identifier: Apache-2.0
#include "exporter/http_server.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <list>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/capabilities.h"
#include "base/clock.h"
#include "exporter/http_client.h"

namespace loopsnoop::exporter {

namespace {

// RFC 1952, by zlib's own wrapper; empty: it could not be done.
std::string gzipped(const std::string &text) {
	constexpr int gzip_window = 15 + 16; // zlib.h, deflateInit2(): 16 more writes a gzip header
	constexpr int memory_level = 8;
	z_stream stream{};
	if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, gzip_window, memory_level, Z_DEFAULT_STRATEGY) != Z_OK) {
		return {};
	}
	std::string out(deflateBound(&stream, text.size()), '\0');
	// zlib's interface is older than const.
	stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(text.data())); // NOLINT
	stream.avail_in = static_cast<uInt>(text.size());
	stream.next_out = reinterpret_cast<Bytef *>(out.data()); // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
	stream.avail_out = static_cast<uInt>(out.size());
	const bool whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
	out.resize(whole ? stream.total_out : 0);
	(void)deflateEnd(&stream);
	return out;
}

std::string_view reason(int status) {
	switch (status) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 421: return "Misdirected Request";
	case 431: return "Request Header Fields Too Large";
	case 503: return "Service Unavailable";
	default: return "Error";
	}
}

// The headers tell a browser to run no script, to load nothing, to guess no type and to keep nothing.
std::string on_the_wire(const HttpAnswer &answer, bool head_only, bool gzip) {
	constexpr std::size_t worth_packing = 1024;
	const std::string packed = gzip && answer.body.size() > worth_packing ? gzipped(answer.body) : std::string();
	const std::string &body = packed.empty() ? answer.body : packed;
	std::string out = fmt::format(
	    "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}{}Connection: close\r\n"
	    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
	    "frame-ancestors 'none'\r\n"
	    "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n\r\n",
	    answer.status, reason(answer.status), answer.type, body.size(), packed.empty() ? "" : "Content-Encoding: gzip\r\n",
	    answer.status == 405 ? "Allow: GET, HEAD\r\n" : "");
	return head_only ? out : out + body;
}

HttpAnswer plain(int status, std::string_view text) { return {status, "text/plain; charset=utf-8", fmt::format("{}\n", text)}; }

class Serving {
public:
	Serving(UniqueFd listening, int stop, std::vector<std::string> names, HttpServer::Handler handler)
	    : listening_(std::move(listening)), stop_(stop), hosts_(std::move(names)), handler_(std::move(handler)) {}

	void run() {
		while (wait()) {
			for (HttpClient &client : clients_) {
				client.go_on();
			}
			accept_all();
			answer_all();
			const std::uint64_t now = monotonic_ns();
			clients_.remove_if([&](const HttpClient &client) {
				return client.state() == HttpClient::State::gone || client.deadline_ns() <= now;
			});
			if (clients_.empty()) {
				latest_.clear(); // megabytes, when there are many loops
			}
		}
	}

private:
	using Body = std::shared_ptr<const std::string>;

	// Until something is to be done; false: to end.
	bool wait() {
		std::vector<pollfd> waited{{stop_, POLLIN, 0}, {listening_.get(), POLLIN, 0}};
		std::uint64_t until = UINT64_MAX;
		for (const HttpClient &client : clients_) {
			waited.push_back({client.fd(), client.wanted_events(), 0});
			until = std::min(until, client.deadline_ns());
		}
		constexpr std::uint64_t ns_per_ms = 1'000'000;
		const std::uint64_t now = monotonic_ns();
		const int patience = until == UINT64_MAX ? -1 : until <= now ? 0 : static_cast<int>((until - now) / ns_per_ms) + 1;
		(void)poll(waited.data(), waited.size(), patience);
		return waited.front().revents == 0;
	}

	void accept_all() {
		for (std::size_t i = 0; i < HttpServer::max_clients; i++) {
			UniqueFd socket(accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
			if (!socket.valid()) {
				if (errno == EMFILE && !clients_.empty()) {
					make_place(); // the descriptors that this process may have are used up: one of ours goes
				}
				return;
			}
			if (clients_.size() >= HttpServer::max_clients) {
				make_place();
			}
			// What it asks has often come along already.
			clients_.emplace_back(std::move(socket), monotonic_ns()).go_on();
		}
	}

	// Whoever has been slow for longest goes; but nobody who is being answered, as long as others have not even asked.
	void make_place() {
		const auto slowness = [](const HttpClient &client) {
			const bool served = client.state() == HttpClient::State::sending || client.state() == HttpClient::State::ready;
			return std::pair(served, client.since_ns());
		};
		clients_.erase(std::min_element(clients_.begin(), clients_.end(),
		                                [&](const HttpClient &a, const HttpClient &b) { return slowness(a) < slowness(b); }));
	}

	void answer_all() {
		made_now_.clear();
		for (HttpClient &client : clients_) {
			if (client.state() == HttpClient::State::ready) {
				client.send(answer(client.head()), monotonic_ns());
			}
		}
	}

	[[nodiscard]] std::size_t bodies_being_sent() const {
		std::set<const std::string *> bodies;
		for (const HttpClient &client : clients_) {
			if (client.answer() != nullptr) {
				bodies.insert(client.answer().get());
			}
		}
		return bodies.size();
	}

	void give_up_slow_readers() {
		const std::uint64_t now = monotonic_ns();
		for (HttpClient &client : clients_) {
			if (client.state() == HttpClient::State::sending && client.since_ns() + HttpServer::head_ns < now) {
				client.give_up();
			}
		}
	}

	Body answer(const std::string &head) {
		constexpr int too_large = 431;
		constexpr int misdirected = 421;
		constexpr int bad = 400;
		constexpr int wrong_method = 405;
		const auto small = [](int status, std::string_view text) {
			return std::make_shared<const std::string>(on_the_wire(plain(status, text), false, false));
		};
		const std::size_t length = head_length(head);
		if (length == 0 || length > max_head_bytes) {
			return small(too_large, "the request's head is too long");
		}
		const auto request = parse_request(std::string_view(head).substr(0, length));
		if (!request) {
			return small(bad, "no HTTP request");
		}
		if (!hosts_.allows(*request)) {
			return small(misdirected, "this exporter is not known by that name: see --listen-host");
		}
		if (request->method != "GET" && request->method != "HEAD") {
			return small(wrong_method, "GET and HEAD only");
		}
		return made(*request);
	}

	Body made(const HttpRequest &request) {
		const Key key{request.path, request.method == "HEAD", request.accepts_gzip};
		const auto before = latest_.find(key);
		if (bodies_being_sent() >= HttpServer::max_bodies) {
			give_up_slow_readers();
		}
		if (before != latest_.end() && (made_now_.contains(key) || bodies_being_sent() >= HttpServer::max_bodies)) {
			return before->second;
		}
		const HttpAnswer answer = handler_(request);
		auto body = std::make_shared<const std::string>(on_the_wire(answer, request.method == "HEAD", request.accepts_gzip));
		constexpr int ok = 200;
		if (answer.status == ok) { // of other paths there are as many as clients can think of
			latest_[key] = body;
			made_now_.insert(key);
		}
		return body;
	}

	using Key = std::tuple<std::string, bool, bool>; // path, head only, gzip
	UniqueFd listening_;
	int stop_;
	AllowedHosts hosts_;
	HttpServer::Handler handler_;
	std::list<HttpClient> clients_;
	std::map<Key, Body> latest_;
	std::set<Key> made_now_; // in this round: who asks at the same moment gets the same
};

Result<UniqueFd> listen_on(const std::string &host, std::uint16_t port) {
	addrinfo hints{};
	hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
	hints.ai_socktype = SOCK_STREAM;
	addrinfo *found = nullptr;
	if (const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); error != 0) {
		return make_error("listen", host, gai_strerror(error));
	}
	const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> address(found, freeaddrinfo);
	UniqueFd socket(::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	const int on = 1;
	if (!socket.valid() || setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
	    bind(socket.get(), address->ai_addr, address->ai_addrlen) != 0 || listen(socket.get(), SOMAXCONN) != 0) {
		return errno_error("listen", host);
	}
	return socket;
}

std::uint16_t port_of(int socket) {
	sockaddr_storage address{};
	socklen_t length = sizeof address;
	if (getsockname(socket, reinterpret_cast<sockaddr *>(&address), &length) != 0) { // NOLINT
		return 0;
	}
	in_port_t port = 0; // at the same place in both families
	static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
	std::memcpy(&port, reinterpret_cast<const char *>(&address) + offsetof(sockaddr_in, sin_port), sizeof port); // NOLINT
	return ntohs(port);
}

} // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(const std::string &host, std::uint16_t port, std::vector<std::string> names,
                                                      Handler handler) {
	auto listening = listen_on(host, port);
	if (!listening) {
		return listening.error();
	}
	UniqueFd stop(eventfd(0, EFD_CLOEXEC));
	if (!stop.valid()) {
		return errno_error("listen", host);
	}
	const std::uint16_t bound = port_of(listening->get());
	return std::unique_ptr<HttpServer>(
	    new HttpServer(std::move(*listening), std::move(stop), bound, std::move(names), std::move(handler)));
}

HttpServer::HttpServer(UniqueFd listening, UniqueFd stop, std::uint16_t port, std::vector<std::string> names, Handler handler)
    : stop_(std::move(stop)), port_(port) {
	// Signals are for the session.
	sigset_t all;
	sigset_t before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	thread_ = std::thread(
	    [serving = std::make_shared<Serving>(std::move(listening), stop_.get(), std::move(names), std::move(handler))] {
		    (void)pthread_setname_np(pthread_self(), "loopsnoop-http");
		    (void)keep_capabilities({}); // it speaks with whoever connects
		    serving->run();
	    });
	pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

HttpServer::~HttpServer() {
	const std::uint64_t one = 1;
	(void)!write(stop_.get(), &one, sizeof one);
	thread_.join();
}

} // namespace loopsnoop::exporter
