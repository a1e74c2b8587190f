// SPDX-License-Identifier: Apache-2.0
#include "exporter/exporter.h"

#include <CivetServer.h>
#include <malloc.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <atomic>
#include <csignal>
#include <exception>
#include <iterator>
#include <mutex>
#include <string_view>
#include <utility>

#include "base/capabilities.h"
#include "exporter/book.h"
#include "exporter/own_process.h"
#include "exporter/page.h"

namespace loopsnoop::exporter {

namespace {

class Source final : public prometheus::Collectable {
public:
	Source(std::string version, std::uint64_t threshold_ns) : book_(std::move(version), threshold_ns) {}

	void write(const Record &record) {
		const std::scoped_lock lock(mutex_);
		book_.write(record);
	}

	void read_from(std::function<Tables()> tables) {
		const std::scoped_lock lock(mutex_);
		tables_ = std::move(tables);
	}

	[[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
		std::vector<prometheus::MetricFamily> families = own_process_families();
		const std::scoped_lock lock(mutex_);
		if (tables_) {
			const Tables now = tables_();
			auto loops = book_.families(now.now_ns, now.loops, now.lost);
			families.insert(families.end(), std::make_move_iterator(loops.begin()), std::make_move_iterator(loops.end()));
		}
		return families;
	}

	[[nodiscard]] Overview overview() const {
		const std::scoped_lock lock(mutex_);
		const Tables now = tables_ ? tables_() : Tables{};
		return book_.overview(now.now_ns, now.loops, now.lost);
	}

private:
	mutable std::mutex mutex_;
	mutable Book book_; // a scrape moves what was shown last
	std::function<Tables()> tables_;
};

// Whose page is served. civetweb calls a plain function, and prometheus-cpp keeps the pointer that could go with it for itself;
// there is one exporter a process.
std::atomic<const Source *> page_source = nullptr; // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

// An answer takes megabytes when there are hundreds of loops: not more than so many at a time, whoever asks.
constexpr int most_answers = 4;
// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables): as above
std::atomic<int> answers = 0;
thread_local bool has_turn = false; // a request begins and ends in one thread
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

bool take_turn() {
	if (answers.fetch_add(1) >= most_answers) {
		answers.fetch_sub(1);
		return false;
	}
	has_turn = true;
	return true;
}

void end_turn(const mg_connection * /*connection*/, int /*status*/) {
	if (std::exchange(has_turn, false)) {
		answers.fetch_sub(1);
	}
}

// The threads that speak with whoever connects can do nothing but that.
void *give_up_rights(const mg_context * /*context*/, int /*kind*/) {
	(void)keep_capabilities({});
	return nullptr;
}

// civetweb asks this before it looks for a handler of the URI: 0 leaves the request to those that prometheus-cpp has set.
int serve_page(mg_connection *connection) {
	if (!take_turn()) {
		constexpr std::string_view answer = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n"
		                                    "Connection: close\r\n\r\n";
		mg_write(connection, answer.data(), answer.size());
		constexpr int too_many = 503;
		return too_many;
	}
	const mg_request_info *request = mg_get_request_info(connection);
	const std::string_view method = request->request_method != nullptr ? request->request_method : "";
	const Source *source = page_source;
	if (source == nullptr || request->local_uri == nullptr || std::string_view(request->local_uri) != "/" ||
	    (method != "GET" && method != "HEAD")) {
		return 0;
	}
	const std::string body = page(source->overview());
	const std::string headers = page_headers(body.size());
	const std::string answer = method == "HEAD" ? headers : headers + body;
	mg_write(connection, answer.data(), answer.size());
	constexpr int ok = 200;
	return ok;
}

CivetCallbacks page_callbacks() {
	CivetCallbacks callbacks;
	callbacks.begin_request = serve_page;
	callbacks.end_request = end_turn;
	callbacks.init_thread = give_up_rights;
	return callbacks;
}

class Server final : public Exporter {
public:
	Server(const std::vector<std::string> &options, std::string version, std::uint64_t threshold_ns)
	    : source_(std::make_shared<Source>(std::move(version), threshold_ns)), callbacks_(page_callbacks()),
	      exposer_(options, &callbacks_) {
		exposer_.RegisterCollectable(source_);
		page_source = source_.get();
	}
	~Server() override { page_source = nullptr; }
	Server(const Server &) = delete;
	Server &operator=(const Server &) = delete;
	Server(Server &&) = delete;
	Server &operator=(Server &&) = delete;

	void write(const Record &record) override { source_->write(record); }
	void read_from(std::function<Tables()> tables) override { source_->read_from(std::move(tables)); }

private:
	std::shared_ptr<Source> source_;
	CivetCallbacks callbacks_;
	prometheus::Exposer exposer_; // goes first: its threads use the source
};

} // namespace

Result<std::unique_ptr<Exporter>> Exporter::start(const std::string &host, std::uint16_t port, std::string version,
                                                  std::uint64_t threshold_ns) {
	const std::string address = (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + std::to_string(port);
	// Whichever thread answers, what an answer takes comes from the same place again, and not from one place for each thread.
	(void)mallopt(M_ARENA_MAX, 2);
	// Its threads take no signals: those are for the session.
	sigset_t all;
	sigset_t before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	std::unique_ptr<Exporter> server;
	std::string why;
	try {
		// Short patience: a client that dawdles keeps others waiting for seconds at most, never the profiling.
		server = std::make_unique<Server>(std::vector<std::string>{"listening_ports", address, "num_threads", "32",
		                                                           "request_timeout_ms", "2000", "keep_alive_timeout_ms", "500",
		                                                           "enable_keep_alive", "no", "decode_url", "no"},
		                                  std::move(version), threshold_ns);
	} catch (const std::exception &error) {
		why = error.what();
	}
	pthread_sigmask(SIG_SETMASK, &before, nullptr);
	if (server == nullptr) {
		return make_error("listen", address,
		                  "the port is taken or the address is none of this machine's: see ss -tlnp (" + why + ")");
	}
	return server;
}

} // namespace loopsnoop::exporter
