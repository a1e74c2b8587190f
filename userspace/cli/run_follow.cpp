// SPDX-License-Identifier: Apache-2.0
#include "cli/run_follow.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/duration.h"
#include "base/version.h"
#include "cli/record_writer.h"
#include "cli/report.h"
#include "exporter/exporter.h"
#include "output/json.h"
#include "output/terminal.h"
#include "output/text.h"
#include "session/follow.h"

namespace loopsnoop::cli {

namespace {

int fail(const Error &error) {
	fmt::print(stderr, "loopsnoop: {}\n", error.describe());
	return 1;
}

int status_of_command(int wait_status) {
	constexpr int signal_base = 128; // as a shell has it
	return WIFSIGNALED(wait_status) ? signal_base + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

} // namespace

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
	std::optional<LineWriter> json;
	if (settings.json) {
		auto opened = LineWriter::open(*settings.json);
		if (!opened) {
			return fail(opened.error());
		}
		json.emplace(std::move(*opened));
	}
	const bool json_on_stdout = json && json->fd() == STDOUT_FILENO;
	LineWriter terminal = LineWriter::on(json_on_stdout ? STDERR_FILENO : STDOUT_FILENO);
	bool text_read = true;
	output::TextReport text(text_options(output::text_options_for(terminal.fd()), settings.verbosity),
	                        [&](std::string_view lines) { text_read = terminal.write(lines) && text_read; });

	session::Outputs outputs;
	outputs.record = [&](const Record &record) {
		if (json && !json->write(output::to_json_line(record) + "\n")) {
			return false;
		}
		if (metrics) {
			metrics->write(record);
		}
		text.write(record);
		return text_read;
	};
	if (metrics) {
		outputs.live = [&](const std::function<session::LiveNumbers()> &look) {
			metrics->read_from(look ? [look] {
				session::LiveNumbers now = look();
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
		text.status(status);
		return text_read;
	};
	outputs.winch = [&] {
		text.set_columns(output::text_options_for(terminal.fd()).columns);
		return true;
	};
	const auto ended = session::follow(settings, outputs);
	if (ended && ended->stalls == 0 && settings.duration_ns && *settings.duration_ns < settings.threshold_ns) {
		text.note(fmt::format(
		    "--duration, {}, is shorter than any stall of {} or more (a bare number is milliseconds: -d 60s is a minute)",
		    format_duration(*settings.duration_ns), format_duration(settings.threshold_ns)));
	}
	if (ended) {
		text.finish(); // of a session that could not begin there is nothing to tell but why
	}
	for (const LineWriter *writer : {json ? &*json : nullptr, &terminal}) {
		if (writer != nullptr && writer->error()) {
			return fail(*writer->error());
		}
	}
	if (!ended) {
		return fail(ended.error());
	}
	constexpr int stall_status = 3;
	if (ended->command_status && status_of_command(*ended->command_status) != 0) {
		return status_of_command(*ended->command_status);
	}
	return settings.fail_on_stall && ended->stalls > 0 ? stall_status : 0;
}

} // namespace loopsnoop::cli
