// SPDX-License-Identifier: Apache-2.0
#include "output/json.h"

#include <nlohmann/json.hpp>

#include "catch.h"
#include "examples.h"

using namespace loopsnoop;
using namespace loopsnoop::output;
using namespace loopsnoop::output::examples;

TEST_CASE("session, loop and life records are written as the contract has them") {
	CHECK(to_json_line(session()) ==
	      R"({"type":"session","schema":1,"version":"0.1.0","started_at":"2026-11-22T14:03:20.000000Z","start_ns":1000000000000,)"
	      R"("host":"web1","kernel":"6.18.5","threshold_ns":100000000,"argv":["loopsnoop","-p","4711"],"missing":[]})");
	CHECK(to_json_line(loop()) ==
	      R"({"type":"loop","pid":4711,"tid":4711,"comm":"uvicorn","thread":"uvicorn","start_ns":1000000000000,)"
	      R"("runtime":{"name":"cpython","version":"3.11.2"},"poll":{"syscall":"epoll_wait","fd":6}})");
	CHECK(
	    to_json_line(LoopFound{5, 6, "c", "t", 7, Runtime{}, std::nullopt, {}}) ==
	    R"({"type":"loop","pid":5,"tid":6,"comm":"c","thread":"t","start_ns":7,"runtime":{"name":"native","version":null},"poll":null})");
	CHECK(to_json_line(LoopFound{5, 6, "c", "t", 7, Runtime{RuntimeKind::node, {}}, OwnPoll{"select", {}}, {}})
	          .ends_with(R"("runtime":{"name":"node","version":null},"poll":{"syscall":"select","fd":null}})"));
	CHECK(to_json_line(ProcessExit{5, 9, 3, {}}) == R"({"type":"exit","pid":5,"start_ns":9,"status":3,"signal":null})");
	CHECK(to_json_line(ProcessExit{5, 9, {}, "SIGKILL"}) ==
	      R"({"type":"exit","pid":5,"start_ns":9,"status":null,"signal":"SIGKILL"})");
	CHECK(to_json_line(ProcessExec{5, 9, "git"}) == R"({"type":"exec","pid":5,"start_ns":9,"comm":"git"})");
	CHECK(to_json_line(ProcessFork{5, 9, 6}) == R"({"type":"fork","pid":5,"start_ns":9,"child":6})");
}

TEST_CASE("the summary has every kind of loss, zeros included") {
	SessionSummary end;
	end.duration_ns = 60 * s;
	LoopTotals totals{1, 2, 3, 4, 5, 6, 7, 8, {}};
	part_of(totals.by_cause, Cause::pipe) = {9, 10};
	end.loops.push_back(totals);
	end.lost.at(0) = 3;
	const std::string line = to_json_line(end);
	CHECK(line.starts_with(
	    R"({"type":"summary","duration_ns":60000000000,"loops":[{"pid":1,"tid":2,"iterations":3,"busy_ns":4,"idle_ns":5,)"
	    R"("stalls":6,"stalled_ns":7,"longest_ns":8,"by_cause":{"pipe":{"ns":9,"count":10}}}],"lines":[],"lost":{"ringbuf_full":3,"no_slot":0,)"));
	const nlohmann::json lost = nlohmann::json::parse(line)["lost"];
	CHECK(lost.size() == loss_count);
	for (const LossText &loss : loss_texts) {
		CHECK(lost.contains(std::string(loss.name)));
	}
}

TEST_CASE("a stall without anything known holds nulls, and no optional field") {
	Stall stall;
	stall.id = 1;
	stall.waits.emplace_back();
	CHECK(
	    to_json_line(stall) ==
	    R"({"type":"stall","id":1,"phase":"ended","start_ns":0,"started_at":"","duration_ns":0,"truncated":null,"pid":0,"tid":0,"comm":"",)"
	    R"("thread":"","cause":"other","breakdown":{},"culprit":null,"summary":"","waits":[{"cause":"other","syscall":null,"start_ns":0,)"
	    R"("duration_ns":0,"run_delay_ns":0,"count":0,"ongoing":false,"resource":null,"stack":null,"stack_from":null,"waker":null}],"cpu":[],"throttled_ns":null})");
}

TEST_CASE("a stall with everything is written field by field") {
	const nlohmann::ordered_json json = nlohmann::ordered_json::parse(to_json_line(full_stall()));
	std::string keys;
	for (const auto &[key, value] : json.items()) {
		keys += key + ' ';
	}
	CHECK(keys ==
	      "type id phase start_ns started_at duration_ns truncated pid tid comm thread cause breakdown culprit summary advice "
	      "goes_on no_loop_yet waits cpu gil throttled_ns startup pool peer task gc threads deadlock ");
	CHECK(json["phase"] == "ongoing");
	CHECK(json["truncated"] == "before_attach");
	CHECK(
	    json["breakdown"].dump() ==
	    R"({"gil":{"ns":2000000,"count":4},"socket":{"ns":301000000,"count":3},"runqueue":{"ns":4000000,"count":1},"cpu":{"ns":15000000,"count":4}})");
	CHECK(json["culprit"].dump() == R"({"function":"audit_middleware","file":"/srv/app/gateway/audit.py","line":57})");
	CHECK(json["deadlock"].dump() == "[4711,4715]");

	const auto &wait = json["waits"][0];
	CHECK(wait["resource"].dump() ==
	      R"({"kind":"socket","fd":9,"protocol":"tcp","local":"127.0.0.1:51544","remote":"127.0.0.1:5432",)"
	      R"("state":"ESTABLISHED","peer":{"pid":812,"comm":"postgres"}})");
	CHECK(wait["stack_from"] == "captured");
	CHECK(wait["stack"]["native"][0].dump() ==
	      R"({"function":"__poll","module":"/usr/lib/x86_64-linux-gnu/libc.so.6","offset":"0xfe0","file":null,"line":null})");
	CHECK(wait["stack"]["kernel"][0].dump() == R"({"function":"schedule","offset":"0x46"})");
	CHECK_FALSE(wait["stack"].contains("javascript"));
	CHECK(wait["stack"]["native_truncated"] == true);
	CHECK(wait["waker"].dump() == R"({"pid":812,"tid":813,"comm":"postgres","thread":"writer","context":"thread",)"
	                              R"("stack":{"kernel":[{"function":"sock_def_readable","offset":"0x1f"}]}})");

	CHECK(json["waits"][1]["waker"]["context"] == "interrupt");
	CHECK(json["waits"][1]["waker"]["pid"].is_null());
	CHECK(json["waits"][1]["waker"]["tid"].is_null());
	CHECK(json["waits"][1]["waker"]["comm"].is_null());
	CHECK(json["waits"][1]["waker"]["thread"].is_null());
	CHECK(json["waits"][1]["waker"]["stack"].is_null());
	const auto &fds = json["waits"][1]["resource"]["fds"];
	REQUIRE(fds.size() == 7);
	CHECK(fds[0].dump() == R"({"kind":"file","fd":3,"path":"/var/log/app.log"})");
	CHECK(fds[1].dump() == R"({"kind":"pipe","fd":1,"path":"/run/x.fifo","peer":{"pid":980,"comm":"fluentd"}})");
	CHECK(fds[2].dump() == R"({"kind":"pipe","fd":null,"path":null,"peer":null})");
	CHECK(
	    fds[3].dump() ==
	    R"({"kind":"futex","address":"0x7f11aa00","lock":"python_lock","holder":{"tid":4715,"thread":"worker","how":"inferred"},"type":"threading.Lock"})");
	CHECK(fds[4].dump() == R"({"kind":"timer","requested_ns":250000000})");
	CHECK(fds[5].dump() == R"({"kind":"process","pid":4900,"comm":"git"})");
	CHECK(fds[6].dump() == R"({"kind":"socket","fd":4,"protocol":"unix","path":"@bus","state":null,"peer":null})");

	CHECK(json["cpu"][0].dump() ==
	      R"({"samples":12,"ns":120000000,"stack":{"python":[{"function":"loads","file":"json.py","line":null}],)"
	      R"("javascript":[{"function":"f","file":"a.js","line":3}]}})");
	CHECK(json["throttled_ns"] == 3000000);
	CHECK(json["gil"]["ns"] == 2000000);
	CHECK(json["gil"]["count"] == 4);
	CHECK(json["gil"]["holders"][0].dump() ==
	      R"({"tid":4715,"thread":"worker","samples":3,"ns":2000000,"how":"inferred",)"
	      R"("stack":{"python":[{"function":"crunch","file":"/srv/app/report.py","line":17}]}})");
	CHECK(json["gil"]["holders"][1]["stack"].is_null());
	CHECK(json["threads"][0].dump() ==
	      R"({"tid":4715,"thread":"worker","state":"disk_sleep","waited_ns":5000000000,"cause":"file_io",)"
	      R"("syscall":"fsync","resource":{"kind":"file","fd":3,"path":null},"holds_gil":false,"stack":{}})");
	CHECK(json["threads"][1].dump() == R"({"tid":0,"thread":"","state":"sleeping","waited_ns":null,"cause":null,"syscall":null,)"
	                                   R"("resource":null,"holds_gil":null,"stack":null})");
}

TEST_CASE("hostile strings become one line of valid UTF-8") {
	Stall stall = full_stall();
	const std::string hostile = "a\xff\xc0\xaf\xed\xa0\x80\x1b[2J\"\\\n\r\x01 \xe2\x82";
	stall.thread = hostile;
	stall.culprit->function = hostile;
	stall.waits[0].syscall = hostile;
	stall.waits[0].resource = Resource{FileResource{1, hostile}};
	stall.comm = std::string("nul\0in", 6);
	const std::string line = to_json_line(stall);
	CHECK(line.find('\n') == std::string::npos);
	CHECK(line.find('\x1b') == std::string::npos);
	CHECK(line.find('\xff') == std::string::npos);
	const nlohmann::json json = nlohmann::json::parse(line); // refuses what is no UTF-8
	CHECK(json["comm"] == std::string("nul\0in", 6));
	const auto thread = json["thread"].get<std::string>();
	CHECK(thread.starts_with("a\uFFFD"));
	CHECK(thread.find("\x1b[2J\"\\\n\r\x01") != std::string::npos);
	CHECK(json["culprit"]["function"] == thread);

	stall.comm.assign(std::size_t{1} << 20, '\xfe');
	CHECK(nlohmann::json::accept(to_json_line(stall)));
}
