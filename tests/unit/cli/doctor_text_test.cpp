// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor_text.h"

#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::doctor;

namespace {

const std::vector<Check> some{{"kernel", Health::ok, "kernel 6.1", {}, "btf"},
                              {"jit", Health::warn, "slow: it costs", "switch it on", {}}};

} // namespace

TEST_CASE("doctor: a line a check, and a plain conclusion") {
	CHECK(cli::doctor_text(some, Verbosity::normal, {}) ==
	      "ok    kernel 6.1\nwarn  slow: it costs; switch it on\nloopsnoop works here, with 1 thing missing\n");
	CHECK(cli::doctor_text(some, Verbosity::quiet, {}) ==
	      "warn  slow: it costs; switch it on\nloopsnoop works here, with 1 thing missing\n");
	CHECK(cli::doctor_text(some, Verbosity::verbose, {}).starts_with("ok    kernel 6.1\n      btf\nwarn"));
	CHECK(cli::doctor_text({{"rights", Health::fail, "no rights", "sudo", {}}}, Verbosity::normal, {}) ==
	      "FAIL  no rights; sudo\nloopsnoop cannot work here: no rights\n");
}

TEST_CASE("doctor: names of the target cannot write to the terminal, colour only where asked") {
	const std::vector<Check> hostile{{"process", Health::fail, "pid 1 (\x1b[2J\n)", {}, "\x1b]0;x\a"}};
	const std::string text = cli::doctor_text(hostile, Verbosity::verbose, {});
	CHECK(text.find('\x1b') == std::string::npos);
	CHECK(text.find('\a') == std::string::npos);
	CHECK(cli::doctor_text(some, Verbosity::normal, output::Palette{true}).starts_with("\x1b[32mok\x1b[0m    kernel"));
}
