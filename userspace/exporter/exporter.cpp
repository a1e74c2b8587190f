// SPDX-License-Identifier: Apache-2.0
#include "exporter/exporter.h"

#include <malloc.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>

#include "exporter/http_server.h"
#include "exporter/metrics_source.h"

namespace loopsnoop::exporter {

namespace {

class HttpExporter final : public Exporter {
public:
	HttpExporter(std::unique_ptr<MetricsSource> source, std::unique_ptr<HttpServer> server)
	    : source_(std::move(source)), server_(std::move(server)) {}

	void write(const Record &record) override { source_->write(record); }
	void write(std::vector<ProcessGauges> gauges) override { source_->write(std::move(gauges)); }
	void drained(std::uint64_t now_ns) override { source_->drained(now_ns); }
	void read_from(std::function<Tables()> tables) override { source_->read_from(std::move(tables)); }
	[[nodiscard]] std::uint16_t port() const override { return server_->port(); }

private:
	std::unique_ptr<MetricsSource> source_;
	std::unique_ptr<HttpServer> server_; // goes first: its thread uses the source
};

std::string name_of_this_machine() {
	constexpr std::size_t max_name = 256; // HOST_NAME_MAX of every libc is below
	std::array<char, max_name> name{};
	return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

} // namespace

Result<std::unique_ptr<Exporter>> Exporter::start(ExporterSettings settings) {
	// What an answer takes comes from the same place again, and not from one place for each thread.
	(void)mallopt(M_ARENA_MAX, 2);
	auto source = std::make_unique<MetricsSource>(settings);
	std::vector<std::string> names = settings.names;
	names.push_back(name_of_this_machine());
	auto server = HttpServer::start(settings.host, settings.port, std::move(names),
	                                [&source = *source](const HttpRequest &request) { return source.answer(request.path); });
	if (!server) {
		const std::string bracketed = settings.host.find(':') != std::string::npos ? "[" + settings.host + "]" : settings.host;
		const std::string why = server.error().code != 0 ? std::strerror(server.error().code) : server.error().advice;
		return make_error("listen", bracketed + ":" + std::to_string(settings.port),
		                  "the port is taken or the address is none of this machine's: see ss -tlnp (" + why + ")");
	}
	return std::unique_ptr<Exporter>(std::make_unique<HttpExporter>(std::move(source), std::move(*server)));
}

} // namespace loopsnoop::exporter
