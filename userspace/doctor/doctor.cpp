// SPDX-License-Identifier: Apache-2.0
#include "doctor/doctor.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/clock.h"
#include "base/duration.h"
#include "collector/collector.h"
#include "doctor/machine.h"
#include "doctor/process.h"
#include "process/procfs.h"

namespace loopsnoop::doctor {

namespace {

void append(std::vector<Check> &checks, std::vector<Check> more) {
	checks.insert(checks.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

struct Start {
	Result<Check> check;
	std::vector<Check> missing;
};

Start try_programs(bool verbose) {
	collector::CollectorOptions options;
	options.verbose = verbose;
	const std::uint64_t before = monotonic_ns();
	auto started = collector::Collector::start(options);
	if (!started) {
		return {started.error(), {}};
	}
	Check check{
	    "programs", Health::ok, "BPF programs load and attach (" + format_duration(monotonic_ns() - before) + ")", {}, {}};
	std::vector<Check> missing;
	for (const std::string &what : (*started)->missing()) {
		missing.push_back({"missing", Health::warn, what, {}, {}});
	}
	return {std::move(check), std::move(missing)};
}

} // namespace

Conclusion conclude(const std::vector<Check> &checks) {
	const auto failed = std::ranges::find(checks, Health::fail, &Check::health);
	if (failed != checks.end()) {
		return {false, "loopsnoop cannot work here: " + failed->found};
	}
	const auto missing = std::ranges::count(checks, Health::warn, &Check::health);
	if (missing == 0) {
		return {true, "loopsnoop will work here"};
	}
	return {true,
	        "loopsnoop works here, with " + std::to_string(missing) + (missing == 1 ? " thing missing" : " things missing")};
}

std::vector<Check> settle(std::vector<Check> checks, const Result<Check> &started) {
	if (started) {
		for (Check &check : checks) {
			check.health = std::min(check.health, Health::warn);
		}
		checks.push_back(*started);
		return checks;
	}
	const auto explained = std::ranges::find(checks, Health::fail, &Check::health);
	if (explained != checks.end()) {
		explained->detail += (explained->detail.empty() ? "" : "; ") + started.error().describe();
		return checks;
	}
	Error error = started.error();
	const std::string advice = std::exchange(error.advice, {});
	checks.push_back({"programs", Health::fail, error.describe(), advice, {}});
	return checks;
}

std::vector<Check> examine(std::optional<std::uint32_t> pid, bool verbose) {
	const Machine machine = this_machine();
	std::vector<Check> checks = examine_machine(machine);
	Start start = try_programs(false);
	if (!start.check && verbose && std::ranges::find(checks, Health::fail, &Check::health) == checks.end()) {
		(void)try_programs(true); // nothing explains it: libbpf and the verifier may
	}
	checks = settle(std::move(checks), start.check);
	append(checks, std::move(start.missing));
	if (start.check) {
		// Without the right to load programs these would only say once more that it is missing.
		append(checks, examine_extras(machine));
	}
	if (pid) {
		append(checks, examine_process(process::ProcFs(machine.proc), *pid));
	}
	return checks;
}

} // namespace loopsnoop::doctor
