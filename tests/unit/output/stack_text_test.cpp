// SPDX-License-Identifier: Apache-2.0
#include "output/stack_text.h"

#include "catch.h"
#include "examples.h"

using namespace loopsnoop;
using namespace loopsnoop::output;
using namespace loopsnoop::output::examples;

namespace {

Stack database_stack() { return *database_stall(1, begin, 320 * ms).waits.front().stack; }

} // namespace

TEST_CASE("the application's frames are marked, library frames folded") {
	CHECK(stack_lines(database_stack(), StackStyle{}) ==
	      "      do_commit         /usr/lib/python3/dist-packages/sqlalchemy/default.py:692\n"
	      "      … 2 library frames\n"
	      "      Session.commit    /usr/lib/python3/dist-packages/sqlalchemy/session.py:1969\n"
	      "    > audit_middleware  /srv/app/gateway/audit.py:57\n"
	      "      … 2 library frames\n"
	      "      native: __poll (libc.so.6) < pqSocketPoll < pqWait (libpq.so.5.15) < …\n"
	      "      kernel: poll_schedule_timeout < do_sys_poll < __x64_sys_poll\n");
}

TEST_CASE("in colour the application is bold and libraries are faint") {
	const std::string lines = stack_lines(database_stack(), StackStyle{Palette{true}});
	CHECK(lines.find("    \x1b[1m> audit_middleware  /srv/app/gateway/audit.py:57\x1b[0m\n") != std::string::npos);
	CHECK(lines.find("    \x1b[2m  … 2 library frames\x1b[0m\n") != std::string::npos);
}

TEST_CASE("every frame is shown when everything is wanted") {
	const std::string lines = stack_lines(database_stack(), StackStyle{Palette{}, true});
	CHECK(std::count(lines.begin(), lines.end(), '\n') == 7 + 5 + 1);
	CHECK(lines.find("… ") == std::string::npos);
	CHECK(lines.find("pqWait                    /usr/lib/x86_64-linux-gnu/libpq.so.5.15+0x200\n") != std::string::npos);
	CHECK(lines.find("entry_SYSCALL_64_after_hwframe\n") != std::string::npos);
}

TEST_CASE("a native stack of an application without an interpreter") {
	Stack stack;
	stack.native = {{"read", "/usr/lib/x86_64-linux-gnu/libc.so.6", 0x10, {}, {}},
	                {"load", "/srv/app/server", 0x20, "/src/load.c", 12},
	                {"main", "/srv/app/server", 0x30, {}, {}},
	                {"__libc_start_main", "/usr/lib/x86_64-linux-gnu/libc.so.6", 0x40, {}, {}},
	                {"_start", "/srv/app/server", 0x50, {}, {}}};
	CHECK(stack_lines(stack, StackStyle{}) == "      read  /usr/lib/x86_64-linux-gnu/libc.so.6\n"
	                                          "    > load  /src/load.c:12\n"
	                                          "    > main  /srv/app/server\n"
	                                          "      … 2 library frames\n");
	stack.native = {{{}, "/srv/app/stripped", 0x1234, {}, {}}, {{}, {}, 0x7f00, {}, {}}};
	CHECK(stack_lines(stack, StackStyle{}) == "      0x1234  /srv/app/stripped+0x1234\n      0x7f00\n");
}

TEST_CASE("code typed in is the application's only where there is nothing else") {
	Stack stack;
	stack.python = {{"recv", "/usr/lib/python3.11/socket.py", 1}, {"<module>", "<string>", 2}};
	CHECK(stack_lines(stack, StackStyle{}) == "      recv      /usr/lib/python3.11/socket.py:1\n    > <module>  <string>:2\n");
	stack.python.push_back({"main", "/srv/app.py", 3});
	CHECK(stack_lines(stack, StackStyle{}).find("> <module>") == std::string::npos);
}

TEST_CASE("endless recursion and hostile names stay bounded") {
	Stack stack;
	stack.python.assign(100'000, SourceFrame{std::string(5000, 'f') + "\x1b[2J", "/srv/app/a.py", 1});
	const std::string usual = stack_lines(stack, StackStyle{});
	CHECK(std::count(usual.begin(), usual.end(), '\n') == 41);
	CHECK(usual.ends_with("      … 99,960 more frames\n"));
	CHECK(usual.find('\x1b') == std::string::npos);
	CHECK(stack_lines(stack, StackStyle{Palette{}, true}).size() < 200'000);
	stack.python.assign(30, SourceFrame{"f", "/usr/lib/python3.11/x.py", 1});
	CHECK(stack_lines(stack, StackStyle{}).ends_with("      … 22 library frames\n"));
	CHECK(stack_lines(Stack{}, StackStyle{}).empty());
}
