// SPDX-License-Identifier: Apache-2.0
#include "cli/run_follow.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/duration.h"
#include "base/version.h"
#include "cli/exit_status.h"
#include "cli/fail.h"
#include "cli/record_file.h"
#include "cli/record_writer.h"
#include "cli/recording.h"
#include "cli/report.h"
#include "exporter/exporter.h"
#include "output/terminal.h"
#include "output/text.h"
#include "session/follow.h"

namespace loopsnoop::cli {

int run_follow(const Settings &settings) {
	std::unique_ptr<exporter::Exporter> metrics;
	if (settings.listen) {
		auto started = exporter::Exporter::start({settings.listen->host, settings.listen->port, settings.listen_hosts,
		                                          std::string(version()), settings.threshold_ns, settings.hang_after_ns});
		if (!started) {
			return fail(started.error());
		}
		metrics = std::move(*started);
	}
	std::optional<RecordFile> json;
	if (settings.json) {
		auto opened = RecordFile::open(*settings.json);
		if (!opened) {
			return fail(opened.error());
		}
		json.emplace(std::move(*opened));
	}
	const bool json_on_stdout = json && json->on_stdout();
	LineWriter terminal = LineWriter::on(json_on_stdout ? STDERR_FILENO : STDOUT_FILENO);
	bool text_read = true;
	output::TextReport text(text_options(output::text_options_for(terminal.fd()), settings.verbosity),
	                        [&](std::string_view lines) { text_read = terminal.write(lines) && text_read; });

	std::atomic<std::uint64_t> unwritten = 0; // records; scrapes are answered in another thread
	session::Outputs outputs;
	outputs.record = [&](const Record &record) {
		if (json && !write_record(*json, record, monotonic_ns())) {
			return false;
		}
		if (metrics) {
			metrics->write(record);
		}
		if (const auto *summary = std::get_if<SessionSummary>(&record); summary != nullptr && json) {
			text.write(with_unwritten(*summary, json->lost()));
		} else {
			text.write(record);
		}
		return text_read;
	};
	if (metrics) {
		outputs.live = [&](const std::function<session::LiveNumbers()> &read_live) {
			metrics->read_from(read_live ? [read_live, &unwritten] {
				session::LiveNumbers now = read_live();
				now.lost.at(static_cast<std::size_t>(Loss::unwritten)) += unwritten;
				return exporter::Tables{now.now_ns, std::move(now.loops), now.lost};
			} : std::function<exporter::Tables()>());
		};
	}
	if (metrics) {
		outputs.gauges = [&](std::vector<ProcessGauges> gauges) { metrics->write(std::move(gauges)); };
	}
	outputs.status = [&](const output::Status &status) {
		if (metrics) {
			metrics->drained(monotonic_ns());
		}
		if (json) {
			json->maintain();
			unwritten = json->lost();
			if (const auto trouble = json->take_trouble()) {
				text.note(trouble->describe());
			}
		}
		text.status(status);
		return text_read;
	};
	outputs.winch = [&] {
		text.set_columns(output::text_options_for(terminal.fd()).columns);
		return true;
	};
	outputs.reopen = [&] { return json && json->reopen(); };
	const auto ended = session::follow(settings, outputs);
	if (ended && ended->stalls == 0 && settings.duration_ns && *settings.duration_ns < settings.threshold_ns) {
		text.note(fmt::format(
		    "--duration, {}, is shorter than any stall of {} or more (a bare number is milliseconds: -d 60s is a minute)",
		    format_duration(*settings.duration_ns), format_duration(settings.threshold_ns)));
	}
	if (ended) {
		text.finish(); // of a session that could not begin there is nothing to show but why
	}
	for (const auto &error : {json ? json->error() : std::nullopt, terminal.error()}) {
		if (error) {
			return fail(*error);
		}
	}
	if (!ended) {
		return fail(ended.error());
	}
	return exit_status(settings, *ended);
}

} // namespace loopsnoop::cli
