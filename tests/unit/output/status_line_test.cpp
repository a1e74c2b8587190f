// SPDX-License-Identifier: Apache-2.0
#include "base/columns.h"
#include "catch.h"
#include "examples.h"
#include "output/text.h"

using namespace loopsnoop;
using namespace loopsnoop::output;
using namespace loopsnoop::output::examples;

namespace {

Status busy() {
	Status status;
	status.now_ns = begin + 2 * s;
	status.loops = 1;
	status.pid = 4711;
	status.comm = "python3";
	status.iterations_per_s = 1234.6;
	status.busy = 0.37;
	status.stalls = 12;
	status.stalled_ns = 3400 * ms;
	status.stuck_ns = 4200 * ms;
	return status;
}

TextOptions terminal(unsigned columns = 100) {
	TextOptions options;
	options.status_line = true;
	options.columns = columns;
	return options;
}

} // namespace

TEST_CASE("the status line has rate, busy share, stalls and what is stuck") {
	Written out(terminal());
	out.report.status(busy());
	CHECK(out.text() == "pid 4711 python3 · 1,234 it/s · busy 37 % · stalls 12 (3.40 s) · stuck now 4.20 s");
	Status quiet;
	quiet.pid = 5;
	quiet.comm = "x\x1b[2J";
	out.report.status(quiet);
	CHECK(out.calls.back() == "\r\x1b[Kpid 5 x\\x1b[2J · no loop yet · 0 it/s · busy 0 % · stalls 0");
	quiet.loops = 3;
	quiet.lost = 4;
	out.report.status(quiet);
	CHECK(out.calls.back() == "\r\x1b[K3 loops · 0 it/s · busy 0 % · stalls 0 · lost 4");
}

TEST_CASE("the status line does not disturb the output") {
	Written plain;
	Written drawn(terminal(40));
	for (Written *out : {&plain, &drawn}) {
		out->report.write(session());
		out->report.status(busy());
		out->report.write(loop());
		out->report.status(busy());
		for (std::uint64_t i = 0; i < 5; i++) {
			out->report.write(database_stall(i, begin + (i * s), 120 * ms));
			out->report.status(busy());
		}
		out->report.note("the verifier says hello");
		out->report.write(session_summary(5));
		out->report.finish();
	}
	CHECK(screen(drawn.text()) == screen(plain.text()));
	CHECK(plain.text().find('\x1b') == std::string::npos);
	CHECK(plain.text().find('\r') == std::string::npos);
}

TEST_CASE("the status line is drawn again after other output, and cut to the terminal") {
	Written out(terminal(40));
	out.report.write(session());
	out.report.status(busy());
	out.report.write(loop());
	const std::vector<std::string> lines = screen(out.text());
	CHECK(lines.back() == std::string(cut_to_columns("pid 4711 python3 · 1,234 it/s · busy 37 % · stalls 12", 39)));
	out.report.set_columns(0);
	out.report.status(busy());
	out.report.finish();
	CHECK(screen(out.text()).back().empty());
}

TEST_CASE("repeats are shown as time passes without records, too") {
	Written out;
	out.report.write(session());
	out.report.write(database_stall(1, begin, 120 * ms));
	out.report.write(database_stall(2, begin + s, 120 * ms));
	const std::size_t before = out.text().size();
	Status status = busy();
	out.report.status(status);
	CHECK(out.text().size() == before);
	status.now_ns = begin + 7 * s;
	out.report.status(status);
	CHECK(out.text().substr(before).starts_with("14:03:27.000  again, 120 ms: audit_middleware (/srv/app/gateway/audit.py:57)"));
}
