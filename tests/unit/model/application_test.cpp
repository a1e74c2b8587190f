// SPDX-License-Identifier: Apache-2.0
#include "model/application.h"

#include "catch.h"

using namespace loopsnoop;

namespace {

bool own_source(const char *file, const char *function = "handler") {
	return is_application_frame(SourceFrame{function, file, 1});
}

bool own_native(const char *module, const char *function = "work") {
	return is_application_frame(NativeFrame{function, module, 0x10, std::nullopt, std::nullopt});
}

} // namespace

TEST_CASE("source files of the application are told from libraries") {
	for (const char *own : {"/srv/app/gateway/audit.py", "app.py", "./app.py", "/home/u/lib/python/tool.py",
	                        "/srv/python3.11/app.py", "/home/u/.venv/src/app.py", "/srv/app/routes.js", "file:///srv/app/x.mjs",
	                        "/usr/local/bin/server.py", "/app.pyz/__main__.py", "//srv//app.py"}) {
		INFO(own);
		CHECK(own_source(own));
	}
	for (const char *library :
	     {"", "/usr/lib/python3.11/asyncio/events.py", "/lib/python3.9/json/decoder.py", "/usr/local/lib/python3.13t/ssl.py",
	      "/home/app/.pyenv/versions/3.12.1/lib/python3.12/selectors.py", "/usr/lib/python3/dist-packages/psycopg2/__init__.py",
	      "/srv/venv/lib/python3.11/site-packages/redis/client.py", "/usr/lib/python311.zip/os.py", "/usr/lib64/python3.9/os.py",
	      "/opt/pypy/lib/pypy3.9/socket.py", "<frozen importlib._bootstrap>", "<string>", "<stdin>", "node:internal/fs/utils",
	      "node:fs", "internal/timers.js", "/srv/app/node_modules/express/lib/router.js",
	      "/usr/share/nodejs/express/lib/router/index.js", "<__array_function__ internals>"}) {
		INFO(library);
		CHECK_FALSE(own_source(library));
	}
}

TEST_CASE("a launcher's top level is not the application, a script's is") {
	CHECK_FALSE(own_source("/usr/bin/uvicorn", "<module>"));
	CHECK_FALSE(own_source("/srv/venv/bin/gunicorn", "<module>"));
	CHECK(own_source("/usr/local/bin/server.py", "<module>"));
	CHECK(own_source("/usr/local/bin/server", "serve"));
	CHECK(own_source("/srv/app/run", "<module>"));
}

TEST_CASE("native code of the application is told from libraries and interpreters") {
	for (const char *own :
	     {"/usr/bin/redis-server", "/srv/app/server", "/srv/app/lib/libbilling.so.1", "/usr/lib/postgresql/15/bin/postgres",
	      "/srv/pythonic", "/srv/nodes/worker", "/srv/app/libcache.so"}) {
		INFO(own);
		CHECK(own_native(own));
	}
	for (const char *library :
	     {"", "[vdso]", "[heap]", "/usr/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2", "/usr/bin/python3.11",
	      "/usr/bin/python3", "/usr/local/bin/python", "/opt/py/lib/libpython3.13.so.1.0", "/usr/bin/node", "/usr/bin/nodejs",
	      "/srv/app/libuv.so.1", "/usr/lib/x86_64-linux-gnu/libpq.so.5.15",
	      "/usr/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so",
	      "/usr/lib/python3/dist-packages/uvloop/loop.cpython-311-x86_64-linux-gnu.so",
	      "/srv/app/node_modules/bcrypt/build/Release/bcrypt.node", "/srv/musl/ld-musl-x86_64.so.1", "/srv/libstdc++.so.6"}) {
		INFO(library);
		CHECK_FALSE(own_native(library));
	}
	CHECK_FALSE(own_native("/srv/app/server", "_start"));
	CHECK_FALSE(own_native("/srv/app/server", "std::__cxx11::basic_string<char>::append(char const*)"));
	CHECK_FALSE(is_application_frame(NativeFrame{std::nullopt, "/srv/app/server", 0x10, std::nullopt, std::nullopt}));
	CHECK_FALSE(is_application_frame(NativeFrame{"py::f", std::nullopt, 0x10, std::nullopt, std::nullopt}));
}

TEST_CASE("the culprit is the innermost frame of the application; typed-in code only where there is nothing else") {
	const SourceFrame library{"recv", "/usr/lib/python3.11/socket.py", 3};
	const SourceFrame typed{"__init__", "<string>", 2};
	const SourceFrame inner{"audit", "/srv/app/audit.py", 57};
	const SourceFrame outer{"main", "/srv/app/main.py", 5};
	const std::vector<SourceFrame> stack{library, typed, inner, outer};
	REQUIRE(innermost_application_frame(stack) != nullptr);
	CHECK(innermost_application_frame(stack)->function == "audit");
	const std::vector<SourceFrame> command{library, typed};
	REQUIRE(innermost_application_frame(command) != nullptr);
	CHECK(innermost_application_frame(command)->file == "<string>");
	CHECK(innermost_application_frame(std::vector<SourceFrame>{library}) == nullptr);
	CHECK(innermost_application_frame(std::vector<SourceFrame>{}) == nullptr);
	CHECK(innermost_application_frame(std::vector<NativeFrame>{}) == nullptr);
}
