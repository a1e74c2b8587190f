// SPDX-License-Identifier: Apache-2.0
#include "inspect/dump.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "collector/collector.h"
#include "inspect/children.h"
#include "inspect/inspector.h"
#include "inspect/programs.h"
#include "inspect/resolver.h"
#include "inspect/running_stack.h"
#include "inspect/thread_views.h"
#include "process/procfs.h"
#include "process/target_check.h"

namespace loopsnoop::inspect {

Result<Dump> dump(const DumpSettings &settings) {
	const process::ProcFs proc;
	const std::string name = "pid " + std::to_string(settings.pid);
	const auto status = process::check_target(proc, settings.pid, "dump");
	if (!status) {
		return status.error();
	}
	collector::CollectorOptions options;
	options.stack_bytes = settings.stack_bytes;
	options.snapshots_only = true;
	auto started = collector::Collector::start(options);
	if (!started) {
		return started.error();
	}
	collector::Collector &collector = **started;
	Programs programs(proc);
	Children children(proc);
	Resolver resolver(proc, programs, children);
	Inspector inspector(collector, proc, programs, resolver, settings.stack_bytes);

	if (auto followed = collector.followed().follow({settings.pid, false, std::nullopt}); !followed) {
		return followed.error();
	}
	// The first round is slow, because it reads files and symbols, and threads may move meanwhile: the next one finds all in
	// place.
	constexpr int rounds = 3;
	constexpr std::uint64_t enough_ns = 1'000'000'000;
	const std::uint64_t begin_ns = monotonic_ns();
	Dump dump;
	for (int i = 0; i < rounds; i++) {
		dump = Dump{};
		dump.pid = settings.pid;
		dump.comm = status->comm;
		dump.name = programs.name(settings.pid);
		dump.start_ns = monotonic_ns();
		dump.started_at = rfc3339_utc(realtime_ns());
		const std::vector<ThreadSnapshot> snapshots = inspector.snapshot(settings.pid);
		if (snapshots.empty()) {
			return make_error("dump", name, "it has ended just now");
		}
		dump.look_ns = snapshots.back().now_ns - snapshots.front().now_ns;
		std::vector<ThreadSnapshot> looked_at = snapshots;
		for (ThreadSnapshot &snapshot : looked_at) {
			snapshot.off_since_ns = 0; // nothing was attached that would know since when
		}
		dump.threads = inspector.views(looked_at, std::nullopt);
		for (const ThreadView &view : dump.threads) {
			if (view.frames_left_out > 0) {
				dump.left_out = dump.left_out.value_or(LeftOut());
				dump.left_out->frames += view.frames_left_out;
			}
		}
		dump.deadlock = complete_views(inspector, programs, settings.pid, snapshots, dump.threads, settings.pid);
		if (std::ranges::none_of(dump.threads, &ThreadView::moved) || monotonic_ns() - begin_ns > enough_ns) {
			break;
		}
	}
	sample_running(collector, inspector, programs, resolver, dump);
	return dump;
}

} // namespace loopsnoop::inspect
