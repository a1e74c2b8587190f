// SPDX-License-Identifier: Apache-2.0
#include "model/application.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

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

TEST_CASE("source files of the application are distinguished from libraries") {
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

TEST_CASE("native code of the application is distinguished from libraries and interpreters") {
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

TEST_CASE("what came with a compiler, a system or a package manager is nobody's own code") {
	const auto own = [](const char *function, const char *file) {
		return is_application_frame(
		    NativeFrame{function, "/srv/app/relay", 0x10, file != nullptr ? std::optional<std::string>(file) : std::nullopt, 57});
	};
	for (const auto &[function, file] : std::vector<std::pair<const char *, const char *>>{
	         {"std::sys::unix::fs::File::open_c",
	          "/rustc/897e37553bba8b42751c67658967889d11ecd120/library/std/src/sys/unix/fs.rs"},
	         {"std::fs::File::open", "library/std/src/fs.rs"},
	         {"tokio::park::Parker::park", "/home/dev/.cargo/registry/src/github.com-1ecc6299db9ec823/tokio-1.28.0/src/park.rs"},
	         {"core::ptr::drop_in_place", "/home/dev/.rustup/toolchains/stable/lib/rustlib/src/rust/library/core/src/ptr/mod.rs"},
	         {"__gthread_mutex_lock", "/usr/include/x86_64-linux-gnu/c++/12/bits/gthr-default.h"},
	         {"boost::asio::detail::scheduler::run", "/usr/include/boost/asio/detail/impl/scheduler.ipp"},
	         {"f<int>", "/opt/gcc-13/include/c++/13/bits/stl_algo.h"},
	         {"runtime/internal/syscall.Syscall6", "/usr/lib/go-1.19/src/runtime/internal/syscall/asm_linux_amd64.s"},
	         {"os.(*File).Write", "/usr/local/go/src/os/file.go"},
	         {"net/http.(*conn).serve", "net/http/server.go"},
	         {"github.com/lib/pq.(*conn).recv", "/home/dev/go/pkg/mod/github.com/lib/pq@v1.10.0/conn.go"},
	         {"boost::asio::io_context::run()", nullptr},
	         {"void std::__invoke<f>(f)", nullptr},
	         {"<alloc::vec::Vec<T> as core::ops::drop::Drop>::drop", nullptr},
	         {"__libc_start_call_main", nullptr},
	         {"__futex_abstimed_wait_common", nullptr},
	         {"pthread_mutex_lock", nullptr},
	         {"clock_nanosleep", nullptr},
	         {"_Unwind_RaiseException", nullptr}}) {
		INFO(function << ' ' << (file != nullptr ? file : "-"));
		CHECK_FALSE(own(function, file));
	}
	for (const auto &[function, file] : std::vector<std::pair<const char *, const char *>>{
	         {"Directory::forget(int)", "/build/relay.cpp"},
	         {"main.(*state).save", "/srv/shop/main.go"},
	         {"github.com/acme/shop.serve", "/home/me/go/src/github.com/acme/shop/serve.go"},
	         {"shop::serve", "src/main.rs"},
	         {"std::hash<Order>::operator()(Order const&) const", "/build/order.h"},
	         {"read", "/build/reader.c"},
	         {"Reader::read()", nullptr},
	         {"main", nullptr},
	         {"standard::run()", nullptr}}) {
		INFO(function << ' ' << (file != nullptr ? file : "-"));
		CHECK(own(function, file));
	}
}

TEST_CASE("interpreters' own functions are nobody's own code") {
	for (const char *const module : {"/usr/bin/perl", "/usr/bin/perl5.36.0", "/usr/bin/ruby3.1", "/usr/sbin/php-fpm8.2",
	                                 "/opt/ruby/lib/libruby.so.3.1", "/srv/lib/libperl.so.5.36", "/opt/jdk/bin/java"}) {
		INFO(module);
		CHECK_FALSE(own_native(module, "Perl_pp_flock"));
	}
	CHECK(own_native("/srv/perlite", "run"));
	CHECK(own_native("/srv/rubyist/server", "run"));
}

TEST_CASE("languages whose own lines are not read are known by the program or library that runs them") {
	for (const auto &[module, language] :
	     {std::pair("perl", "Perl"), std::pair("perl5.36.0", "Perl"), std::pair("php-fpm8.2", "PHP"),
	      std::pair("libruby-3.1.so.3.1", "Ruby"), std::pair("liblua5.4.so.0", "Lua"), std::pair("libjvm.so", "Java"),
	      std::pair("bun", "Bun"), std::pair("redis-server", ""), std::pair("libluafs.so", ""), std::pair("rsyslogd", "")}) {
		INFO(module);
		CHECK(language_of_module(module) == language);
	}
	std::vector<NativeFrame> frames{{"flock", "/lib/x86_64-linux-gnu/libc.so.6", 1, {}, {}}};
	CHECK(language_not_read(frames).empty());
	frames.push_back({"Perl_pp_flock", "/usr/bin/perl", 2, {}, {}});
	CHECK(language_not_read(frames) == "Perl");
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
