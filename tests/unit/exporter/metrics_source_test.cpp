// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics_source.h"

#include "base/clock.h"
#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::exporter;

namespace {

ExporterSettings settings() {
	ExporterSettings some;
	some.version = "0.1.0";
	some.threshold_ns = 100'000'000;
	some.hang_after_ns = 1'000'000'000;
	return some;
}

bool has(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("healthy is a session that drains") {
	MetricsSource source(settings());
	CHECK(source.answer("/healthz").status == 503);
	CHECK(has(source.answer("/healthz").body, "starting"));
	source.drained(monotonic_ns());
	CHECK(source.answer("/healthz").status == 200);
	CHECK(source.answer("/healthz").body.starts_with("ok: the session last drained "));
	source.drained(monotonic_ns() - 2 * Exporter::healthy_ns);
	CHECK(source.answer("/healthz").status == 503);
	CHECK(source.answer("/healthz").body.starts_with("stalled: the session last drained 10"));
}

TEST_CASE("metrics have a session's age, and no loop before there are tables") {
	MetricsSource source(settings());
	CHECK_FALSE(has(source.answer("/metrics").body, "loopsnoop_loop_"));
	source.drained(monotonic_ns());
	source.read_from([] { return Tables{monotonic_ns(), {}, {}}; });
	const HttpAnswer answer = source.answer("/metrics");
	CHECK(answer.type == "text/plain; version=0.0.4; charset=utf-8");
	const std::string age = "\nloopsnoop_last_drain_age_seconds ";
	REQUIRE(has(answer.body, age));
	const double seconds = std::stod(answer.body.substr(answer.body.find(age) + age.size()));
	CHECK(seconds >= 0);
	CHECK(seconds < 60);
	CHECK(has(answer.body, "loopsnoop_build_info{version=\"0.1.0\"} 1"));
	CHECK(has(answer.body, "exposer_scrapes_total 1"));
	CHECK(source.answer("/").type == "text/html; charset=utf-8");
	CHECK(source.answer("/etc/passwd").status == 404);
}
