// SPDX-License-Identifier: Apache-2.0
#include "exporter/page.h"

#include <string>

#include "catch.h"
#include "exporter/label_value.h"

using namespace loopsnoop;
using exporter::Culprit;
using exporter::Overview;

namespace {

constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t s = 1'000'000'000;

Overview quiet() {
	Overview now;
	now.version = "0.1.0";
	now.now = "2026-11-24T05:09:28.000123Z";
	now.threshold_ns = 100 * ms;
	now.hang_after_ns = s;
	now.recent_bound = 30;
	return now;
}

Overview::Loop loop(std::uint32_t pid, std::string comm, std::uint64_t stuck_ns = 0) {
	Overview::Loop row;
	row.pid = row.tid = pid;
	row.comm = std::move(comm);
	row.iterations = 12345;
	row.busy_ns = s;
	row.idle_ns = 3 * s;
	row.stuck_ns = stuck_ns;
	return row;
}

bool has(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("the page of a healthy host says so, and that nothing was lost") {
	Overview now = quiet();
	now.loops = {loop(7, "python3"), loop(8, "node")};
	const std::string text = exporter::page(now);
	CHECK(has(text, "<title>loopsnoop</title>"));
	CHECK(has(text, "2 loops followed, none is stuck."));
	CHECK(has(text, "as of 2026-11-24 05:09:28 UTC · stalls of 100 ms or more, stuck after 1.00 s"));
	CHECK(has(text, "<bdi>python3</bdi> <span class=dim>pid 7</span>"));
	CHECK(has(text, "25.0 %"));
	CHECK(has(text, "None has ended yet."));
	CHECK(has(text, "<h2>Lost</h2>\n<p class=dim>Nothing.</p>"));
	CHECK_FALSE(has(text, "Stuck now"));
	CHECK(has(exporter::page(quiet()), "No loop is followed."));
}

TEST_CASE("a loop that is idle while customers wait is no healthy one") {
	Overview now = quiet();
	now.loops = {loop(7, "python3"), loop(8, "node")};
	now.standing = {{7,
	                 7,
	                 "python3",
	                 "shop.service",
	                 StandstillKind::no_answer,
	                 42 * s,
	                 "2026-11-24T05:08:46.000123Z",
	                 {"article", "/srv/shop/api.py", "47", Cause::other},
	                 "3 customers wait, the oldest for 42.0 s"}};
	const std::string text = exporter::page(now);
	CHECK(has(text, "<title>1 standing still · loopsnoop</title>"));
	CHECK(has(text, "1 of 2 loops stands still while somebody waits."));
	CHECK(has(text, "<h2>Standing still now</h2>"));
	CHECK(has(text, "no_answer <span class=dim>the loop is idle and customers wait</span>"));
	CHECK(has(text, "/srv/shop/api.py:47"));
	CHECK(has(text, "<td>3 customers wait, the oldest for 42.0 s<td>"));
	CHECK_FALSE(has(text, "none is stuck"));
	CHECK_FALSE(has(text, "Standstills that are over"));

	now.stood = std::move(now.standing);
	now.standing.clear();
	now.stood.front().clients = "3 customers waited, the oldest for 42.0 s";
	const std::string over = exporter::page(now);
	CHECK(has(over, "2 loops followed, none is stuck."));
	CHECK_FALSE(has(over, "Standing still now"));
	CHECK(has(over, "<h2>Standstills that are over</h2>"));
	CHECK(has(over, "<td>05:08:46.000<td class=n>42.0 s<td>"));
	CHECK(has(over, "<td>3 customers waited, the oldest for 42.0 s<td>"));
}

TEST_CASE("the page says it when loopsnoop itself stood still") {
	Overview now = quiet();
	now.own_threads = {{"session", 0, 0, 0}};
	CHECK_FALSE(has(exporter::page(now), "loopsnoop itself"));
	now.own_threads = {{"session", 1, 3 * s, 3 * s}, {"drain", 2, 5 * s, 0}};
	const std::string text = exporter::page(now);
	CHECK(has(text, "loopsnoop itself: its thread session stands still, and has stood for 3.00 s in all."));
	CHECK(has(text, "loopsnoop itself: its thread drain has stood still for 5.00 s in all."));
}

TEST_CASE("a stuck loop stands first, with cause and line, or with what is not known yet") {
	Overview now = quiet();
	now.loops = {loop(9, "uvicorn", 12 * s), loop(8, "node", 300 * ms), loop(7, "redis-server")};
	now.loops.front().tid = 10;
	now.loops.front().stuck_since = "2026-11-24T05:09:16.000123Z";
	now.loops.front().stuck = Culprit{"commit", "/srv/app.py", "57", Cause::socket};
	const std::string text = exporter::page(now);
	CHECK(has(text, "<title>2 stuck · loopsnoop</title>"));
	CHECK(has(text, "2 of 3 loops stuck."));
	const std::string row =
	    "<span class=bad>12.0 s</span><td>05:09:16.000<td><bdi>uvicorn</bdi> <span class=dim>pid 9, thread 10</span><td>socket "
	    "<span class=dim>waiting on a socket</span><td><bdi>commit</bdi> <code "
	    "class=dim><bdi>/srv/app.py:57</bdi></code>";
	CHECK(has(text, row));
	CHECK(has(text, "<span class=bad>300 ms</span>"));
	CHECK(has(text, "not inspected yet"));
	CHECK(text.find("Stuck now") < text.find("Recent stalls"));
}

TEST_CASE("recent stalls, causes and losses are shown") {
	Overview now = quiet();
	now.loops = {loop(7, "python3")};
	now.recent = {{"2026-11-24T05:09:27.123456Z", 250 * ms, 7, 7, "python3", {"f", "/a.py", "3", Cause::sleep}},
	              {"2026-11-23T23:59:59.999999Z", 2 * s, 7, 7, "python3", {"", "", "", Cause::futex}}};
	now.causes.at(static_cast<std::size_t>(Cause::sleep)) = {1, 250 * ms};
	now.causes.at(static_cast<std::size_t>(Cause::futex)) = {1, 2 * s};
	now.lost.at(0) = 3;
	const std::string text = exporter::page(now);
	CHECK(has(text, "<td>05:09:27.123<td class=n>250 ms<td>"));
	CHECK(has(text, "<td>2026-11-23 23:59:59.999<td class=n>2.00 s<td>"));
	CHECK(has(text, "futex <span class=dim>waiting for a lock</span><td><span class=dim>not known</span>"));
	CHECK(text.find("<td>futex<td>") < text.find("<td>sleep<td>")); // most time first
	CHECK(has(text, "<td>ringbuf_full<td>"));
	CHECK_FALSE(has(text, "queue_full"));
}

TEST_CASE("hostile names come through as text, never as markup") {
	const std::string evil = "</bdi><script>alert('1')</script>\"&\xe2\x80\xae";
	Overview now = quiet();
	now.version = "<b>";
	now.loops = {loop(7, exporter::label_value(evil), 5 * s)};
	now.loops.front().stuck = Culprit{evil, evil, "1", Cause::cpu};
	now.recent = {{"2026-11-24T05:09:27.123456Z", s, 7, 7, evil, {evil, evil, "2", Cause::cpu}}};
	const std::string text = exporter::page(now);
	CHECK_FALSE(has(text, "<script"));
	CHECK_FALSE(has(text, "<b>"));
	CHECK_FALSE(has(text, "alert('1')"));
	CHECK(has(text, "<bdi>&lt;/bdi&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;\xe2\x80\xae</bdi>"));
	// What turns the direction of text stays inside its own element.
	for (std::size_t at = text.find("\xe2\x80\xae"); at != std::string::npos; at = text.find("\xe2\x80\xae", at + 1)) {
		CHECK(text.compare(text.find('<', at), 6, "</bdi>") == 0);
	}
}

TEST_CASE("a host of many loops has a page of bounded length") {
	Overview now = quiet();
	for (std::uint32_t pid = 1; pid <= 1000; pid++) {
		now.loops.push_back(loop(pid, "python3", pid <= 500 ? s : 0));
	}
	const std::string text = exporter::page(now);
	CHECK(has(text, "500 of 1,000 loops stuck."));
	CHECK(has(text, "And 800 more."));
	CHECK(text.size() < 200'000);
}

namespace {

Overview::Filling filling(std::uint32_t pid, const std::string &name) {
	Overview::Filling one{pid, pid, name, name, {}, {}};
	one.first.tasks = 11;
	one.last.tasks = 1212;
	one.last.places = {{{name, name, 47}, 1198}, {{name, name, {}}, 3}};
	one.first.inbound = one.last.inbound = 3;
	one.last.inbound_from = {{name, 2}};
	one.first.outbound = 20;
	one.last.outbound = 4;
	one.last.outbound_to = {{name, 4}};
	one.first.resident_bytes = std::uint64_t{100} << 20U;
	one.last.resident_bytes = std::uint64_t{300} << 20U;
	one.first.descriptors = one.last.descriptors = 30;
	return one;
}

} // namespace

TEST_CASE("what fills up in each process, and how it has grown") {
	Overview now = quiet();
	now.loops = {loop(7, "shop")};
	CHECK_FALSE(has(exporter::page(now), "What fills up"));
	now.filling = {filling(7, "shop")};
	const std::string text = exporter::page(now);
	CHECK(has(text, "<h3><bdi>shop</bdi> <span class=dim>pid 7, in <bdi>shop</bdi></span></h3>"));
	CHECK(has(text, "<td>tasks<td class=n>1,212<td class=n>+1,201<td><div>1,198 in <bdi>shop</bdi> <code "
	                "class=dim><bdi>shop:47</bdi></code></div><div>3 in"));
	CHECK(has(text, "<td>connections in<td class=n>3<td class=n><td><div>2 from <bdi>shop</bdi></div>"));
	CHECK(has(text, "<td>connections out<td class=n>4<td class=n>−16<td><div>4 to <bdi>shop</bdi></div>"));
	CHECK(has(text, "<td>MiB resident<td class=n>300<td class=n>+200<td>"));
	CHECK(has(text, "<td>threads<td class=n><span class=dim>not known</span><td class=n><td>"));
	now.filling.front().last.tasks.reset();
	CHECK_FALSE(has(exporter::page(now), "<td>tasks"));
}

TEST_CASE("gauges of very many processes with hostile names: text, and bounded") {
	const std::string evil = "</bdi><script>alert('1')</script>\"&\xe2\x80\xae";
	Overview now = quiet();
	for (std::uint32_t pid = 1; pid <= 1000; pid++) {
		now.filling.push_back(filling(pid, exporter::label_value(evil)));
	}
	now.stood = {{7, 7, evil, evil, StandstillKind::spin, s, "2026-11-24T05:08:46.000123Z", {evil, evil, "2", Cause::other}, ""}};
	const std::string text = exporter::page(now);
	CHECK_FALSE(has(text, "<script"));
	CHECK_FALSE(has(text, "alert('1')"));
	CHECK(has(text, "And 950 more processes."));
	CHECK(text.size() < 200'000);
	for (std::size_t at = text.find("\xe2\x80\xae"); at != std::string::npos; at = text.find("\xe2\x80\xae", at + 1)) {
		CHECK(text.compare(text.find('<', at), 6, "</bdi>") == 0);
	}
}

TEST_CASE("the page loads and runs nothing") {
	const std::string text = exporter::page(quiet());
	CHECK_FALSE(has(text, "://"));
	CHECK_FALSE(has(text, "<script"));
}
