// SPDX-License-Identifier: Apache-2.0
#include "cli/recording.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "output/json.h"
#include "output/record_limit.h"

namespace loopsnoop::cli {

SessionSummary with_unwritten(SessionSummary summary, std::uint64_t records) {
	summary.lost.at(static_cast<std::size_t>(Loss::unwritten)) += records;
	return summary;
}

bool write_record(RecordFile &file, const Record &record, std::uint64_t now_ns) {
	if (const auto *summary = std::get_if<SessionSummary>(&record)) {
		return file.write(output::to_json_line(with_unwritten(*summary, file.lost())), RecordFile::Kind::always, now_ns);
	}
	const std::optional<Record> smaller = output::limited(record);
	std::string line = output::to_json_line(smaller ? *smaller : record);
	const auto kind = std::holds_alternative<Stall>(record) ? RecordFile::Kind::limited : RecordFile::Kind::always;
	const bool goes_on = file.write(line, kind, now_ns);
	if (std::holds_alternative<SessionStart>(record)) {
		file.set_header(std::move(line));
	}
	return goes_on;
}

} // namespace loopsnoop::cli
