// SPDX-License-Identifier: Apache-2.0
// Two loops of Boost.Asio that take two mutexes in different order; what waits is inlined.
#include <utility> // Boost 1.74 needs it and does not say so

#include <boost/asio.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace asio = boost::asio;
using asio::ip::tcp;

class Directory;

class Peers {
public:
	explicit Peers(Directory &d) : directory(d) {}
	void drop(int id);
	std::size_t count() {
		std::lock_guard<std::mutex> hold(mutex);
		return known.size();
	}

private:
	std::mutex mutex;
	Directory &directory;
	std::map<int, std::string> known{{1, "a"}, {2, "b"}};
};

class Directory {
public:
	void forget(int id) {
		std::lock_guard<std::mutex> hold(mutex);
		names.erase(id);
	}
	void announce(Peers &peers) {
		std::lock_guard<std::mutex> hold(mutex);
		std::this_thread::sleep_for(std::chrono::milliseconds(300));
		last = peers.count();
	}

private:
	std::mutex mutex;
	std::map<int, std::string> names{{1, "a"}};
	std::size_t last = 0;
};

void Peers::drop(int id) {
	std::lock_guard<std::mutex> hold(mutex);
	std::this_thread::sleep_for(std::chrono::milliseconds(300));
	directory.forget(id);
	known.erase(id);
}

int main(int, char **argv) {
	asio::io_context io(1), background(1);
	Directory directory;
	Peers peers(directory);
	auto keep = asio::make_work_guard(background);
	std::thread timer([&] { background.run(); });
	tcp::acceptor acceptor(io, {asio::ip::make_address("127.0.0.1"), static_cast<unsigned short>(std::stoi(argv[1]))});
	std::function<void()> accept = [&] {
		acceptor.async_accept([&](boost::system::error_code ec, tcp::socket socket) {
			if (!ec) {
				auto s = std::make_shared<tcp::socket>(std::move(socket));
				auto buf = std::make_shared<std::string>(1024, ' ');
				s->async_read_some(asio::buffer(*buf), [&, s, buf](boost::system::error_code, std::size_t) {
					if (buf->compare(0, 9, "GET /drop") == 0) {
						asio::post(background, [&] { directory.announce(peers); });
						peers.drop(1);
					}
					auto answer = std::make_shared<std::string>("HTTP/1.0 200 OK\r\n\r\nok\n");
					asio::async_write(*s, asio::buffer(*answer), [s, answer](boost::system::error_code, std::size_t) {});
				});
			}
			accept();
		});
	};
	accept();
	io.run();
	timer.join();
}
