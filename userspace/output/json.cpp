// SPDX-License-Identifier: Apache-2.0
#include "output/json.h"

#include "output/json_parts.h"

namespace loopsnoop::output {

namespace {

// Most have none: absent when empty.
void add_text(Json &json, const char *name, const std::string &text) {
	if (!text.empty()) {
		json[name] = text;
	}
}

struct RecordToJson {
	Json operator()(const SessionStart &session) const {
		Json json{{"type", "session"},
		          {"schema", schema_version},
		          {"version", session.version},
		          {"started_at", session.started_at},
		          {"start_ns", session.start_ns},
		          {"host", session.host},
		          {"kernel", session.kernel},
		          {"threshold_ns", session.threshold_ns},
		          {"argv", session.argv},
		          {"missing", session.missing}};
		if (session.discovery) {
			json["discovery"] = true;
		}
		for (const NotFollowed &one : session.not_followed) {
			json["not_followed"].push_back({{"parent", one.parent}, {"comm", one.comm}, {"children", one.children}});
		}
		return json;
	}
	Json operator()(const LoopFound &loop) const {
		Json json{{"type", "loop"},        {"pid", loop.pid},           {"tid", loop.tid},    {"comm", loop.comm},
		          {"thread", loop.thread}, {"start_ns", loop.start_ns}, {"runtime", nullptr}, {"poll", nullptr}};
		add_text(json, "container", loop.placement.container);
		add_text(json, "unit", loop.placement.unit);
		json["runtime"] = {{"name", name_of(loop.runtime.kind)}, {"version", or_null(loop.runtime.version)}};
		if (loop.poll) {
			json["poll"] = {{"syscall", loop.poll->syscall}, {"fd", or_null(loop.poll->fd)}};
		}
		return json;
	}
	Json operator()(const Stall &stall) const { return to_json(stall); }
	Json operator()(const Dump &dump) const {
		Json json{{"type", "dump"},          {"schema", schema_version},  {"pid", dump.pid},
		          {"comm", dump.comm},       {"start_ns", dump.start_ns}, {"started_at", dump.started_at},
		          {"look_ns", dump.look_ns}, {"threads", Json::array()}};
		for (const ThreadView &thread : dump.threads) {
			json["threads"].push_back(to_json(thread));
		}
		if (dump.deadlock) {
			json["deadlock"] = *dump.deadlock;
		}
		return json;
	}
	Json operator()(const ProcessExit &exit) const {
		return {{"type", "exit"},
		        {"pid", exit.pid},
		        {"start_ns", exit.start_ns},
		        {"status", or_null(exit.status)},
		        {"signal", or_null(exit.signal)}};
	}
	Json operator()(const ProcessExec &exec) const {
		return {{"type", "exec"}, {"pid", exec.pid}, {"start_ns", exec.start_ns}, {"comm", exec.comm}};
	}
	Json operator()(const ProcessFork &fork) const {
		return {{"type", "fork"}, {"pid", fork.pid}, {"start_ns", fork.start_ns}, {"child", fork.child}};
	}
	Json operator()(const SessionSummary &summary) const {
		Json loops = Json::array();
		for (const LoopTotals &loop : summary.loops) {
			loops.push_back({{"pid", loop.pid},
			                 {"tid", loop.tid},
			                 {"iterations", loop.iterations},
			                 {"busy_ns", loop.busy_ns},
			                 {"idle_ns", loop.idle_ns},
			                 {"stalls", loop.stalls},
			                 {"stalled_ns", loop.stalled_ns},
			                 {"longest_ns", loop.longest_ns},
			                 {"by_cause", to_json(loop.by_cause)}});
		}
		Json lines = Json::array();
		for (const LineTotals &line : summary.lines) {
			lines.push_back({{"function", line.line.function.empty() ? Json(nullptr) : Json(line.line.function)},
			                 {"file", line.line.file.empty() ? Json(nullptr) : Json(line.line.file)},
			                 {"line", or_null(line.line.line)},
			                 {"cause", name_of(line.cause)},
			                 {"on", line.on.empty() ? Json(nullptr) : Json(line.on)},
			                 {"stalls", line.stalls},
			                 {"count", line.count},
			                 {"ns", line.ns},
			                 {"longest_ns", line.longest_ns}});
		}
		Json processes = Json::array();
		for (const ProcessLife &life : summary.processes) {
			processes.push_back(to_json(life));
		}
		Json restarts = Json::array();
		for (const Restarts &one : summary.restarts) {
			restarts.push_back(to_json(one));
		}
		Json lost = Json::object();
		for (std::size_t i = 0; i < loss_count; i++) {
			lost[std::string(loss_texts.at(i).name)] = summary.lost.at(i);
		}
		Json json{
		    {"type", "summary"}, {"duration_ns", summary.duration_ns}, {"loops", std::move(loops)}, {"lines", std::move(lines)}};
		if (!summary.processes.empty()) {
			json["processes"] = std::move(processes);
			json["restarts"] = std::move(restarts);
		}
		if (summary.loops_left_out != 0) {
			json["loops_left_out"] = summary.loops_left_out;
		}
		json["lost"] = std::move(lost);
		return json;
	}
};

} // namespace

std::string to_json_line(const Record &record) { return dump_line(std::visit(RecordToJson{}, record)); }

} // namespace loopsnoop::output
