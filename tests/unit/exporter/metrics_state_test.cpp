// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics_state.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <tuple>

#include "catch.h"
#include "exporter/label_value.h"

using namespace loopsnoop;
using exporter::MetricsState;

namespace {

constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t s = 1'000'000'000;

LoopFound found(std::uint32_t pid, std::string comm = "python3") {
	LoopFound loop;
	loop.pid = loop.tid = pid;
	loop.comm = std::move(comm);
	return loop;
}

Stall stall(std::uint32_t pid, Cause cause, std::uint64_t ns, std::optional<SourceFrame> culprit = {}) {
	Stall one;
	one.pid = one.tid = pid;
	one.cause = cause;
	one.duration_ns = ns;
	part_of(one.breakdown, cause) = {ns, 1};
	one.culprit = std::move(culprit);
	return one;
}

LoopState idle(std::uint32_t pid) {
	LoopState state;
	state.pid = state.tid = pid;
	state.idle_since_ns = 5 * s;
	return state;
}

LoopState blocked(std::uint32_t pid, Cause cause, std::uint64_t since_ns) {
	LoopState state;
	state.pid = state.tid = pid;
	state.iteration_start_ns = state.off_since_ns = since_ns;
	state.off_cause = cause;
	return state;
}

using Families = std::vector<prometheus::MetricFamily>;

// The one metric of that name that has all of the labels given.
const prometheus::ClientMetric *metric(const Families &families, const std::string &name,
                                       const std::vector<prometheus::ClientMetric::Label> &labels = {}) {
	const prometheus::ClientMetric *got = nullptr;
	for (const auto &family : families) {
		for (const auto &one : family.metric) {
			const bool fits = std::all_of(labels.begin(), labels.end(), [&](const auto &label) {
				return std::find(one.label.begin(), one.label.end(), label) != one.label.end();
			});
			if (family.name == name && fits) {
				REQUIRE(got == nullptr);
				got = &one;
			}
		}
	}
	return got;
}

double value(const Families &families, const std::string &name, const std::vector<prometheus::ClientMetric::Label> &labels = {}) {
	const auto *one = metric(families, name, labels);
	REQUIRE(one != nullptr);
	return one->counter.value + one->gauge.value;
}

} // namespace

TEST_CASE("a hang is in the counters while it lasts, and once only when it is over") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	metrics.write(found(7));
	auto now = metrics.families(10 * s, {blocked(7, Cause::socket, 8 * s)}, {});
	CHECK(value(now, "loopsnoop_stall_ongoing_seconds") == Approx(2));
	CHECK(value(now, "loopsnoop_stall_seconds_total", {{"cause", "socket"}}) == Approx(2));
	CHECK(value(now, "loopsnoop_loop_busy_seconds_total", {{"cause", "socket"}}) == Approx(2));
	CHECK(value(now, "loopsnoop_stalls_total", {{"cause", "socket"}}) == 0);
	now = metrics.families(11 * s, {blocked(7, Cause::socket, 8 * s)}, {});
	CHECK(value(now, "loopsnoop_stall_seconds_total", {{"cause", "socket"}}) == Approx(3));

	metrics.write(stall(7, Cause::socket, 3500 * ms));
	LoopState after = idle(7);
	part_of(after.total, Cause::socket).ns = 3500 * ms;
	now = metrics.families(12 * s, {after}, {});
	CHECK(value(now, "loopsnoop_stall_ongoing_seconds") == 0);
	CHECK(value(now, "loopsnoop_stall_seconds_total", {{"cause", "socket"}}) == Approx(3.5));
	CHECK(value(now, "loopsnoop_loop_busy_seconds_total", {{"cause", "socket"}}) == Approx(3.5));
	CHECK(value(now, "loopsnoop_stalls_total", {{"cause", "socket"}}) == 1);
	CHECK(value(now, "loopsnoop_loop_idle_seconds_total") == Approx(7));
}

TEST_CASE("an iteration below the threshold is busy time and no stall") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	metrics.write(found(7));
	const auto now = metrics.families(10 * s, {blocked(7, Cause::sleep, 10 * s - 50 * ms)}, {});
	CHECK(value(now, "loopsnoop_loop_busy_seconds_total", {{"cause", "sleep"}}) == Approx(0.05));
	CHECK(value(now, "loopsnoop_stall_seconds_total", {{"cause", "sleep"}}) == 0);
	CHECK(value(now, "loopsnoop_stall_ongoing_seconds") == 0);
}

TEST_CASE("counters never go down, whatever the cause turns out to be") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	metrics.write(found(7));
	(void)metrics.families(10 * s, {blocked(7, Cause::file_io, 8 * s)}, {});
	metrics.write(stall(7, Cause::pipe, 2 * s));
	const auto now = metrics.families(11 * s, {idle(7)}, {});
	CHECK(value(now, "loopsnoop_stall_seconds_total", {{"cause", "file_io"}}) == Approx(2));
	CHECK(value(now, "loopsnoop_stall_seconds_total", {{"cause", "pipe"}}) == Approx(2));
	CHECK(value(now, "loopsnoop_loop_busy_seconds_total", {{"cause", "file_io"}}) == Approx(2));
}

TEST_CASE("a woken loop that does not run yet waits for a CPU") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	metrics.write(found(7));
	LoopState state = blocked(7, Cause::sleep, 8 * s);
	state.woken_at_ns = 9 * s;
	const auto now = metrics.families(10 * s, {state}, {});
	CHECK(value(now, "loopsnoop_stall_seconds_total", {{"cause", "sleep"}}) == Approx(1));
	CHECK(value(now, "loopsnoop_stall_seconds_total", {{"cause", "runqueue"}}) == Approx(1));
}

TEST_CASE("histograms are cumulative, in seconds, with an end") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	metrics.write(found(7));
	LoopState state = idle(7);
	state.iteration_times.at(0) = 3;  // below 1 us
	state.iteration_times.at(10) = 4; // below 1,024 us
	state.iteration_times.back() = 1; // very long
	state.busy_ns = 90 * s;
	const auto now = metrics.families(10 * s, {state}, {});
	const auto &histogram = metric(now, "loopsnoop_loop_iteration_seconds")->histogram;
	CHECK(histogram.sample_count == 8);
	CHECK(histogram.sample_sum == Approx(90));
	// Edges are four times the one before, from 256 us: what the kernel counts by each power of two is added up.
	REQUIRE(histogram.bucket.size() == 10);
	CHECK(histogram.bucket.at(0).upper_bound == Approx(256e-6));
	CHECK(histogram.bucket.at(0).cumulative_count == 3);
	CHECK(histogram.bucket.at(1).upper_bound == Approx(0.001024));
	CHECK(histogram.bucket.at(1).cumulative_count == 7);
	CHECK(histogram.bucket.at(5).upper_bound == Approx(0.262144));
	CHECK(std::isinf(histogram.bucket.back().upper_bound));
	CHECK(histogram.bucket.back().cumulative_count == 8);
}

TEST_CASE("series of what is gone disappear") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	metrics.write(found(7));
	metrics.write(found(8));
	metrics.write(stall(7, Cause::sleep, s, SourceFrame{"f", "/a.py", 1}));
	auto now = metrics.families(10 * s, {idle(7), idle(8)}, {});
	CHECK(metric(now, "loopsnoop_loop_iterations_total", {{"pid", "7"}}) != nullptr);
	metrics.write(ProcessExit{7, 10 * s, 0, {}});
	now = metrics.families(11 * s, {idle(7), idle(8)}, {});
	CHECK(metric(now, "loopsnoop_loop_iterations_total", {{"pid", "7"}}) == nullptr);
	CHECK(metric(now, "loopsnoop_stall_culprit_total") == nullptr);
	CHECK(metric(now, "loopsnoop_loop_iterations_total", {{"pid", "8"}}) != nullptr);
	now = metrics.families(12 * s, {}, {});
	CHECK(metric(now, "loopsnoop_loop_iterations_total") == nullptr);
	CHECK(value(now, "loopsnoop_build_info", {{"version", "0.1.0"}}) == 1);
}

TEST_CASE("culprits are bounded for each loop, each process and all together, the rest is other") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	std::vector<LoopState> states;
	const auto series = [&](const std::string &pid) {
		const auto now = metrics.families(10 * s, states, {});
		const auto family =
		    std::find_if(now.begin(), now.end(), [](const auto &one) { return one.name == "loopsnoop_stall_culprit_total"; });
		REQUIRE(family != now.end());
		return static_cast<std::size_t>(std::count_if(family->metric.begin(), family->metric.end(), [&](const auto &one) {
			return pid.empty() || one.label.front().value == pid;
		}));
	};
	const auto stalls_of = [&](std::uint32_t pid, std::uint32_t tid, int lines) {
		LoopFound loop = found(pid);
		loop.tid = tid;
		metrics.write(loop);
		states.push_back(idle(pid));
		states.back().tid = tid;
		for (int line = 1; line <= lines; line++) {
			Stall one = stall(pid, Cause::sleep, s, SourceFrame{"f", "/" + std::to_string(pid) + ".py", line});
			one.tid = tid;
			metrics.write(one);
		}
	};
	stalls_of(7, 7, 150);
	CHECK(series("7") == MetricsState::max_culprits_of_loop + 1);
	metrics.write(stall(7, Cause::sleep, s, SourceFrame{"f", "/7.py", 3}));
	const auto now = metrics.families(10 * s, states, {});
	CHECK(value(now, "loopsnoop_stall_culprit_total", {{"function", "other"}}) == 140);
	CHECK(value(now, "loopsnoop_stall_culprit_total", {{"line", "3"}}) == 2);
	CHECK(value(now, "loopsnoop_series_withheld", {{"of", "culprits"}}) == 140);
	for (std::uint32_t tid = 8; tid < 30; tid++) {
		stalls_of(7, tid, 20);
	}
	CHECK(series("7") <= MetricsState::max_culprits_of_process + 23); // and one "other" for each of its loops
	for (std::uint32_t pid = 100; pid < 300; pid++) {
		stalls_of(pid, pid, 20);
	}
	CHECK(series("") <= MetricsState::max_culprits + states.size());
	CHECK(series("") >= MetricsState::max_culprits);
}

TEST_CASE("a loop has at most 92 series, whatever it does") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	metrics.write(found(7));
	LoopState state = blocked(7, Cause::socket, 8 * s);
	for (std::size_t i = 0; i < cause_count; i++) {
		state.total.at(i).ns = (i + 1) * s;
		for (int line = 1; line <= 20; line++) {
			metrics.write(stall(7, static_cast<Cause>(i), s, SourceFrame{"f", "/a.py", line}));
		}
	}
	Stall ongoing = stall(7, Cause::socket, s, SourceFrame{"commit", "/srv/app.py", 57});
	ongoing.ongoing = true;
	ongoing.start_ns = 8 * s;
	metrics.write(ongoing);
	const auto now = metrics.families(10 * s, {state}, {});
	std::size_t lines = 0;
	double busy = 0;
	double stalls = 0;
	for (const auto &family : now) {
		for (const auto &one : family.metric) {
			if (one.label.empty() || one.label.front().name != "pid") {
				continue;
			}
			lines += family.type == prometheus::MetricType::Histogram ? one.histogram.bucket.size() + 2 : 1;
			busy += family.name == "loopsnoop_loop_busy_seconds_total" ? one.counter.value : 0;
			stalls += family.name == "loopsnoop_stalls_total" ? one.counter.value : 0;
		}
	}
	CHECK(lines <= MetricsState::max_series_of_loop);
	CHECK(lines >= 40);
	// What has no series of its own is in "other": sums over all causes stay true.
	CHECK(busy == Approx(cause_count * (cause_count + 1) / 2.0 + 2));
	CHECK(stalls == Approx(20.0 * cause_count));
}

TEST_CASE("one process with a thousand loops leaves series for others") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	std::vector<LoopState> states;
	for (std::uint32_t i = 0; i < 1100; i++) {
		LoopFound loop = found(7);
		loop.tid = 7 + i;
		metrics.write(loop);
		states.push_back(idle(7));
		states.back().tid = loop.tid;
	}
	metrics.write(found(5000, "node"));
	states.push_back(idle(5000));
	const auto now = metrics.families(10 * s, states, {});
	CHECK(metric(now, "loopsnoop_loop_idle_seconds_total", {{"pid", "5000"}}) != nullptr);
	CHECK(metric(now, "loopsnoop_loop_idle_seconds_total", {{"tid", "1106"}}) == nullptr);
	CHECK(metric(now, "loopsnoop_stall_ongoing_seconds", {{"tid", "1106"}}) != nullptr);
	CHECK(value(now, "loopsnoop_series_withheld", {{"of", "loops"}}) == 1100 - MetricsState::max_detailed_loops_of_process);
}

TEST_CASE("the service label stays when a process is started again") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	LoopFound loop = found(7);
	loop.placement.unit = "web.service";
	loop.name.service = "web";
	metrics.write(loop);
	metrics.write(found(8, "node"));
	const auto now = metrics.families(10 * s, {idle(7), idle(8)}, {});
	CHECK(metric(now, "loopsnoop_loop_iterations_total", {{"service", "web"}, {"pid", "7"}}) != nullptr);
	CHECK(metric(now, "loopsnoop_loop_iterations_total", {{"service", "node"}, {"pid", "8"}}) != nullptr);
}

TEST_CASE("on the page a loop is stuck once its stall is as old as --hang-after") {
	MetricsState metrics("0.1.0", 100 * ms, 5 * s);
	metrics.write(found(7));
	CHECK(metrics.overview(10 * s, {blocked(7, Cause::socket, 8 * s)}, {}).loops.front().stuck_ns == 0);
	CHECK(metrics.overview(13 * s, {blocked(7, Cause::socket, 8 * s)}, {}).loops.front().stuck_ns == 5 * s);
	// In the metrics its age is there from the threshold on.
	CHECK(value(metrics.families(10 * s, {blocked(7, Cause::socket, 8 * s)}, {}), "loopsnoop_stall_ongoing_seconds") ==
	      Approx(2));
}

TEST_CASE("label values are text and bounded whatever the target calls itself") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	metrics.write(found(7, "\xff\x1b[31m\n\xc3\xa4"));
	metrics.write(stall(7, Cause::sleep, s, SourceFrame{std::string(5000, 'x'), "/\xe2\x82", std::nullopt}));
	const auto now = metrics.families(10 * s, {idle(7)}, {});
	CHECK(metric(now, "loopsnoop_loop_iterations_total", {{"comm", "??[31m?\xc3\xa4"}}) != nullptr);
	CHECK(metric(now, "loopsnoop_stall_culprit_total", {{"function", std::string(200, 'x')}, {"file", "/??"}, {"line", ""}}) !=
	      nullptr);
}

TEST_CASE("every kind of loss is there from the start") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	LossCounts lost{};
	lost.at(0) = 5;
	const auto now = metrics.families(10 * s, {}, lost);
	for (const LossText &loss : loss_texts) {
		CHECK(value(now, "loopsnoop_lost_total", {{"reason", std::string(loss.name)}}) == (&loss == &loss_texts.front() ? 5 : 0));
	}
}

TEST_CASE("where a loop is stuck is shown from the first record of the stall to its end") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	metrics.write(found(7));
	const std::string name = "loopsnoop_stall_ongoing_culprit_seconds";
	auto now = metrics.families(9 * s, {blocked(7, Cause::socket, 8 * s)}, {});
	CHECK(metric(now, name) == nullptr);

	Stall ongoing = stall(7, Cause::socket, s, SourceFrame{"commit", "/srv/app.py", 57});
	ongoing.ongoing = true;
	ongoing.start_ns = 8 * s;
	metrics.write(ongoing);
	now = metrics.families(10 * s, {blocked(7, Cause::socket, 8 * s)}, {});
	CHECK(value(now, name, {{"function", "commit"}, {"file", "/srv/app.py"}, {"line", "57"}, {"cause", "socket"}}) == Approx(2));
	// The loop is in its next iteration already, stuck again, and the record of the first one's end has not come yet.
	now = metrics.families(20 * s, {blocked(7, Cause::socket, 15 * s)}, {});
	CHECK(metric(now, name) == nullptr);
	now = metrics.families(20 * s, {idle(7)}, {});
	CHECK(metric(now, name) == nullptr);
	metrics.write(stall(7, Cause::socket, 3 * s));
	now = metrics.families(21 * s, {blocked(7, Cause::socket, 8 * s)}, {});
	CHECK(metric(now, name) == nullptr);
}

TEST_CASE("a stuck loop whose line is not known has its cause, and no made-up line") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	metrics.write(found(7));
	Stall ongoing = stall(7, Cause::futex, s);
	ongoing.ongoing = true;
	ongoing.start_ns = 8 * s;
	metrics.write(ongoing);
	const auto now = metrics.families(10 * s, {blocked(7, Cause::futex, 8 * s)}, {});
	CHECK(value(now, "loopsnoop_stall_ongoing_culprit_seconds", {{"function", ""}, {"line", ""}, {"cause", "futex"}}) ==
	      Approx(2));
}

TEST_CASE("what is no UTF-8 does not come through in a label, though it looks like it") {
	CHECK(exporter::label_value("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80") == "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	CHECK(exporter::label_value("\xed\xa0\x80") == "???");      // a surrogate
	CHECK(exporter::label_value("\xe0\x80\xaf") == "???");      // "/" in three bytes
	CHECK(exporter::label_value("\xf0\x80\x80\xaf") == "????"); // in four
	CHECK(exporter::label_value("\xf4\x90\x80\x80") == "????"); // beyond U+10FFFF
	CHECK(exporter::label_value("\xc2\x9b"
	                            "1m\x7f") == "??1m?"); // C1 control, delete
	CHECK(exporter::label_value(std::string(199, 'x') + "\xe2\x82\xac"
	                                                    "y") == std::string(199, 'x') + "\xe2\x82\xac");
}

TEST_CASE("the overview: stuck loops first, recent stalls latest first and bounded") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	for (const std::uint32_t pid : {7U, 8U, 9U}) {
		metrics.write(found(pid));
	}
	for (std::uint64_t i = 1; i <= MetricsState::max_recent + 3; i++) {
		metrics.write(stall(7, Cause::sleep, i * s, SourceFrame{"f", "/a.py", 1}));
	}
	Stall ongoing = stall(9, Cause::socket, s, SourceFrame{"commit", "/srv/app.py", 57});
	ongoing.ongoing = true;
	ongoing.start_ns = 8 * s;
	metrics.write(ongoing);
	LoopState unknown = idle(10);
	LossCounts lost{};
	lost.at(1) = 2;
	const auto now = metrics.overview(10 * s, {idle(7), idle(8), blocked(9, Cause::socket, 8 * s), unknown}, lost);
	REQUIRE(now.loops.size() == 3);
	CHECK(now.loops.at(0).pid == 9);
	CHECK(now.loops.at(0).stuck_ns == 2 * s);
	REQUIRE(now.loops.at(0).stuck);
	CHECK(std::get<0>(*now.loops.at(0).stuck) == "commit");
	CHECK(now.loops.at(0).busy_ns == 2 * s);
	CHECK(now.loops.at(1).pid == 7);
	CHECK(now.loops.at(1).stuck_ns == 0);
	CHECK(now.loops.at(1).stalls == MetricsState::max_recent + 3);
	CHECK(now.loops.at(1).idle_ns == 5 * s);
	REQUIRE(now.recent.size() == MetricsState::max_recent);
	CHECK(now.recent.front().duration_ns == (MetricsState::max_recent + 3) * s);
	CHECK(now.recent.back().duration_ns == 4 * s);
	CHECK(now.causes.at(static_cast<std::size_t>(Cause::sleep)).stalls == MetricsState::max_recent + 3);
	CHECK(now.lost.at(1) == 2);
}
