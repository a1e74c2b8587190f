// SPDX-License-Identifier: Apache-2.0
#include "process/process_name.h"

#include <string>
#include <vector>

#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::process;

namespace {

ProgramFacts facts(std::string program, std::vector<std::string> arguments) {
	return {std::move(arguments), std::move(program), "comm", {}};
}

std::string name(std::string program, std::vector<std::string> arguments) {
	return program_name(facts(std::move(program), std::move(arguments)));
}

} // namespace

TEST_CASE("an interpreted program goes by its script or module, and the application that it serves") {
	CHECK(name("python3.11", {"python3", "/srv/shop/worker.py", "--queue", "high"}) == "worker.py");
	CHECK(name("python3.11", {"/usr/bin/python3", "-u", "-X", "dev", "-W", "ignore", "worker.py"}) == "worker.py");
	CHECK(name("python3.11", {"/usr/bin/python3", "/usr/bin/uvicorn", "--port", "8000", "shop:app"}) == "uvicorn shop:app");
	CHECK(name("python3.11", {"python3", "-m", "uvicorn", "shop.main:create_app()", "--factory"}) ==
	      "uvicorn shop.main:create_app()");
	CHECK(name("python3.11", {"python3", "-m", "http.server", "--bind", "127.0.0.1:80"}) == "http.server");
	CHECK(name("python3.11", {"python3", "manage.py", "runserver", "0.0.0.0:8000"}) == "manage.py runserver");
	CHECK(name("python3.11", {"python3", "/usr/bin/celery", "-A", "shop", "worker", "-l", "info"}) == "celery -A shop worker");
	CHECK(name("python3.11", {"python3", "-c", "import x"}) == "python3.11");
	CHECK(name("python3.11", {"gunicorn: worker [shop]"}) == "gunicorn: worker [shop]");
	CHECK(name("python3.11", {"python3"}) == "python3.11");
	CHECK(name("node", {"node", "--max-old-space-size=200", "-r", "./trace.js", "/srv/api/server.js", "--port", "3"}) ==
	      "server.js");
	CHECK(name("node", {"shop-api"}) == "shop-api"); // process.title
	CHECK(name("node", {"node", "-e", "setInterval(() => {}, 1)"}) == "node");
	CHECK(name("bun", {"bun", "run", "server.ts"}) == "server.ts");
	CHECK(name("deno", {"deno", "run", "-A", "main.ts"}) == "main.ts");
	CHECK(name("java", {"java", "-Xmx1g", "-cp", "lib/*", "com.shop.Gateway", "8080"}) == "com.shop.Gateway");
	CHECK(name("java", {"java", "-jar", "/opt/shop.jar"}) == "shop.jar");
	CHECK(name("perl", {"/usr/bin/perl", "/usr/bin/hypnotoad", "./app.pl"}) == "hypnotoad");
	CHECK(name("ruby3.1", {"puma 5.6.5 (tcp://0.0.0.0:9292) [shop]"}) == "puma 5.6.5 (tcp://0.0.0.0:9292) [shop]");
	CHECK(name("dash", {"sh", "-c", "uvicorn shop:app"}) == "dash");
}

TEST_CASE("any other program goes by its file, whatever title it has given itself") {
	CHECK(name("nginx", {"nginx: worker process"}) == "nginx");
	CHECK(name("redis-server", {"/usr/bin/redis-server 127.0.0.1:6379"}) == "redis-server");
	CHECK(name("", {}) == "comm");
}

TEST_CASE("a unit goes before the script, but none that is somebody's session") {
	ProgramFacts shop = facts("python3.11", {"python3", "-m", "uvicorn", "shop:app"});
	CHECK(name_of(shop).service == "uvicorn shop:app");
	shop.placement.unit = "session-3.scope";
	CHECK(name_of(shop).service == "uvicorn shop:app");
	shop.placement.unit = "user@1000.service";
	CHECK(name_of(shop).service == "uvicorn shop:app");
	shop.placement.unit = "shop@1.service";
	CHECK(name_of(shop).service == "shop@1");
	CHECK(name_of(shop).command == "python3 -m uvicorn shop:app");
}

TEST_CASE("a command is one line of 200 bytes at most") {
	const ProcessName named = name_of(facts("python3.11", {"python3", "a\nb\x1b[31m", std::string(500, 'x')}));
	CHECK(named.command.starts_with("python3 a\\x0ab\\x1b[31m xxx"));
	CHECK(named.command.size() <= 200);
	CHECK(named.command.ends_with("…"));
}

TEST_CASE("it is found by any name that people call it") {
	const ProgramFacts shop = facts("python3.11", {"/usr/bin/python3", "/usr/bin/uvicorn", "shop:app"});
	for (const char *good : {"uvicorn", "shop:app", "shop", "uvicorn shop:app", "python3", "python3.11", "comm"}) {
		INFO(good);
		CHECK(goes_by(shop, good));
	}
	for (const char *bad : {"", "uvi", "app.py", "usr", "bin", "gunicorn"}) {
		INFO(bad);
		CHECK_FALSE(goes_by(shop, bad));
	}
	CHECK(goes_by(facts("python3.11", {"gunicorn: worker [shop]"}), "gunicorn"));
	CHECK(goes_by(facts("python3.11", {"gunicorn: worker [shop]"}), "shop"));
	CHECK(goes_by(facts("python3.11", {"python3", "worker.py"}), "worker"));
	CHECK(goes_by(facts("node", {"node", "server.js"}), "node")); // whose comm is MainThread from Node 24 on
	ProgramFacts contained = facts("node", {"node", "server.js"});
	contained.placement.container = std::string("4f2a9c01be77") + std::string(52, 'a');
	CHECK(goes_by(contained, "4f2a9c01be77"));
}
