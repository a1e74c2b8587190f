// SPDX-License-Identifier: Apache-2.0
#include "exporter/http_request.h"

#include <string>

#include "catch.h"

using namespace loopsnoop::exporter;

TEST_CASE("a request's head ends at its empty line") {
	CHECK(head_length("GET / HTTP/1.1\r\nHost: a\r\n") == 0);
	CHECK(head_length("GET / HTTP/1.1\r\n\r\nmore") == 18);
	CHECK(head_length("GET / HTTP/1.0\n\n") == 16);
}

TEST_CASE("method, path, host and gzip are read, whatever their case") {
	const auto got = parse_request("GET /metrics?x=1 HTTP/1.1\r\nHOST:  web1:9464 \r\nAccept-Encoding: br, GZIP;q=0.5\r\n\r\n");
	REQUIRE(got);
	CHECK(got->method == "GET");
	CHECK(got->path == "/metrics");
	CHECK(got->host == "web1:9464");
	CHECK(got->accepts_gzip);
	CHECK_FALSE(got->is_1_0);
	CHECK_FALSE(parse_request("GET / HTTP/1.1\r\nAccept-Encoding: gzip;q=0\r\n\r\n")->accepts_gzip);
	CHECK_FALSE(parse_request("GET / HTTP/1.1\r\nAccept-Encoding: xgzip\r\n\r\n")->accepts_gzip);
	CHECK(parse_request("HEAD / HTTP/1.0\n\n")->is_1_0);
}

TEST_CASE("what is no request is none") {
	for (const char *head : {"", "\r\n\r\n", "GET\r\n\r\n", "GET / SMTP\r\n\r\n", "GET metrics HTTP/1.1\r\n\r\n",
	                         " / HTTP/1.1\r\n\r\n", "GET / HTTP/2\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"}) {
		CHECK_FALSE(parse_request(head));
	}
	CHECK_FALSE(parse_request(std::string("\x16\x03\x01\x00\xff", 5)));
}

TEST_CASE("only addresses, localhost and names that are known may be asked for") {
	const AllowedHosts hosts({"Web1", "metrics.example.org", ""});
	const auto allowed = [&](const std::string &host) {
		HttpRequest request;
		request.host = host;
		return hosts.allows(request);
	};
	for (const char *host : {"127.0.0.1", "127.0.0.1:9464", "10.1.2.3:80", "[::1]:9464", "[fe80::1]", "localhost:9464",
	                         "LocalHost", "a.localhost", "web1", "web1:9464", "web1.", "METRICS.example.org"}) {
		INFO(host);
		CHECK(allowed(host));
	}
	for (const char *host : {"evil.example", "web1.evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", ":9464",
	                         "[::1", "::1]", "127.0.0.1@evil.example", "xn--localhost"}) {
		INFO(host);
		CHECK_FALSE(allowed(host));
	}
	HttpRequest without;
	CHECK_FALSE(hosts.allows(without));
	without.is_1_0 = true;
	CHECK(hosts.allows(without));
}
