// SPDX-License-Identifier: Apache-2.0
#include "output/json_reader.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "output/json_fields.h"
#include "output/json_read_parts.h"

namespace loopsnoop::output {

namespace {

// Nothing loopsnoop writes is deeper than ten levels; a hostile file must not fill the stack of whoever walks the value.
constexpr int deepest = 64;

bool too_deep(std::string_view line) {
	int depth = 0;
	bool in_string = false;
	for (std::size_t i = 0; i < line.size(); i++) {
		const char c = line[i];
		if (in_string) {
			i += c == '\\' ? 1 : 0;
			in_string = c != '"';
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > deepest) {
				return true;
			}
		} else if (c == ']' || c == '}') {
			depth--;
		}
	}
	return false;
}

} // namespace

// Of the namespace and no unnamed one: the templates find them by the namespace of their arguments.
static void read(const Fields &from, Listener &listener);
static void read(const Fields &from, Startup &startup);
static void read(const Fields &from, PoolWait &pool);
static void read(const Fields &from, PeerSnapshot &peer);
static void read(const Fields &from, LoopTotals &loop);
static void read(const Fields &from, LineTotals &line);
static void read(const Fields &from, ProcessLife &life);
static void read(const Fields &from, Restarts &restarts);

static void read(const Fields &from, SessionStart &session) {
	from.get("version", session.version);
	from.get("started_at", session.started_at);
	from.need("start_ns", session.start_ns);
	from.get("host", session.host);
	from.get("kernel", session.kernel);
	from.get("threshold_ns", session.threshold_ns);
	from.values("argv", session.argv);
	from.values("missing", session.missing);
	from.get("discovery", session.discovery);
	from.list("not_followed", [&](const Fields &one) {
		NotFollowed &known = session.not_followed.emplace_back();
		one.get("parent", known.parent);
		one.get("comm", known.comm);
		one.values("children", known.children);
	});
}

static void read(const Fields &from, LoopFound &loop) {
	from.need("pid", loop.pid);
	from.need("tid", loop.tid);
	from.get("comm", loop.comm);
	from.get("thread", loop.thread);
	from.get("start_ns", loop.start_ns);
	from.object("runtime", [&](const Fields &runtime) {
		get_name(runtime, "name", {RuntimeKind::cpython, RuntimeKind::node}, loop.runtime.kind);
		runtime.get("version", loop.runtime.version);
	});
	from.object("poll", [&](const Fields &poll) {
		OwnPoll &own = loop.poll.emplace();
		poll.get("syscall", own.syscall);
		poll.get("fd", own.fd);
	});
	from.get("container", loop.placement.container);
	from.get("unit", loop.placement.unit);
}

static void read(const Fields &from, Listener &listener) {
	from.get("address", listener.address);
	from.get("waiting", listener.waiting);
}

static void read(const Fields &from, Startup &startup) {
	read_list(from, "listening", startup.listening);
	from.get("process_age_ns", startup.process_age_ns);
}

static void read(const Fields &from, PoolWait &pool) {
	from.get("name", pool.pool);
	from.values("users", pool.users);
	from.values("waiters", pool.waiters);
}

static void read(const Fields &from, PeerSnapshot &peer) {
	from.get("pid", peer.pid);
	from.get("comm", peer.comm);
	from.get("waits_for_us", peer.waits_for_us);
	from.object("thread", [&](const Fields &thread) { read(thread, peer.thread); });
}

static void read(const Fields &from, Stall &stall) {
	from.need("id", stall.id);
	std::string phase;
	from.need("phase", phase);
	if (phase != "ongoing" && phase != "ended") {
		from.complain(from.place_of("phase"), R"(neither "ongoing" nor "ended")");
	}
	stall.ongoing = phase == "ongoing";
	from.need("start_ns", stall.start_ns);
	from.get("started_at", stall.started_at);
	from.need("duration_ns", stall.duration_ns);
	get_name(from, "truncated", {Truncated::before_attach, Truncated::session_end, Truncated::target_exit, Truncated::end_lost},
	         stall.truncated);
	from.need("pid", stall.pid);
	from.need("tid", stall.tid);
	from.get("comm", stall.comm);
	from.get("thread", stall.thread);
	stall.cause = get_cause(from).value_or(Cause::other);
	from.object("breakdown", [&](const Fields &parts) { read(parts, stall.breakdown); });
	read_object(from, "culprit", stall.culprit);
	from.get("summary", stall.summary);
	from.get("advice", stall.advice);
	from.get("no_loop_yet", stall.no_loop_yet);
	from.get("goes_on", stall.goes_on);
	read_list(from, "waits", stall.waits);
	read_list(from, "cpu", stall.cpu);
	read_object(from, "gil", stall.gil);
	from.get("throttled_ns", stall.throttled_ns);
	read_object(from, "startup", stall.startup);
	read_object(from, "pool", stall.pool);
	read_object(from, "peer", stall.peer);
	if (from.find("threads") != nullptr) {
		read_list(from, "threads", stall.threads.emplace());
	}
	if (from.find("deadlock") != nullptr) {
		from.values("deadlock", stall.deadlock.emplace());
	}
}

static void read(const Fields &from, Dump &dump) {
	from.need("pid", dump.pid);
	from.get("comm", dump.comm);
	from.get("start_ns", dump.start_ns);
	from.get("started_at", dump.started_at);
	from.get("look_ns", dump.look_ns);
	read_list(from, "threads", dump.threads);
	if (from.find("deadlock") != nullptr) {
		from.values("deadlock", dump.deadlock.emplace());
	}
}

static void read(const Fields &from, ProcessExit &exit) {
	from.need("pid", exit.pid);
	from.get("start_ns", exit.start_ns);
	from.get("status", exit.status);
	from.get("signal", exit.signal);
}

static void read(const Fields &from, ProcessExec &exec) {
	from.need("pid", exec.pid);
	from.get("start_ns", exec.start_ns);
	from.get("comm", exec.comm);
}

static void read(const Fields &from, ProcessFork &fork) {
	from.need("pid", fork.pid);
	from.get("start_ns", fork.start_ns);
	from.need("child", fork.child);
}

static void read(const Fields &from, LoopTotals &loop) {
	from.need("pid", loop.pid);
	from.need("tid", loop.tid);
	from.get("iterations", loop.iterations);
	from.get("busy_ns", loop.busy_ns);
	from.get("idle_ns", loop.idle_ns);
	from.get("stalls", loop.stalls);
	from.get("stalled_ns", loop.stalled_ns);
	from.get("longest_ns", loop.longest_ns);
	from.object("by_cause", [&](const Fields &parts) { read(parts, loop.by_cause); });
}

static void read(const Fields &from, LineTotals &line) {
	read(from, line.line);
	line.cause = get_cause(from).value_or(Cause::other);
	from.get("on", line.on);
	from.get("stalls", line.stalls);
	from.get("count", line.count);
	from.get("ns", line.ns);
	from.get("longest_ns", line.longest_ns);
}

static void read_ended_by(const Fields &from, std::optional<ProcessLife::EndedBy> &by, std::uint64_t *count) {
	from.object("ended_by", [&](const Fields &fields) {
		by.emplace(ProcessLife::EndedBy{});
		fields.get("signal", by->signal);
		fields.get("pid", by->pid);
		fields.get("comm", by->comm);
		if (count != nullptr) {
			fields.get("count", *count);
		}
	});
}

static void read(const Fields &from, ProcessLife &life) {
	from.get("pid", life.pid);
	from.get("parent", life.parent);
	from.get("comm", life.comm);
	from.get("command", life.command);
	from.get("start_ns", life.start_ns);
	from.get("lived_ns", life.lived_ns);
	from.get("ended", life.ended);
	from.get("status", life.status);
	from.get("signal", life.signal);
	from.get("loop", life.came_to_loop);
	from.get("accepted", life.accepted);
	read_ended_by(from, life.ended_by, nullptr);
	from.get("doing", life.doing);
	read_object(from, "culprit", life.culprit);
	from.list("writes", [&](const Fields &write) {
		ProcessLife::Write &one = life.writes.emplace_back();
		write.get("path", one.path);
		write.get("time_ns", one.time_ns);
	});
}

static void read(const Fields &from, Restarts &restarts) {
	from.get("parent", restarts.parent);
	from.get("comm", restarts.parent_comm);
	from.values("workers", restarts.workers);
	restarts.accepts_known = from.find("served") != nullptr;
	from.values("served", restarts.served);
	from.get("loops", restarts.came_to_loop);
	from.get("shortest_ns", restarts.shortest_ns);
	from.get("longest_ns", restarts.longest_ns);
	read_ended_by(from, restarts.ended_by, &restarts.ended_by_count);
	from.get("doing", restarts.doing);
	read_object(from, "culprit", restarts.culprit);
	restarts.doing_count = restarts.workers.size();
	from.object("file", [&](const Fields &file) {
		file.get("path", restarts.file);
		file.get("count", restarts.file_count);
		file.get("by_worker", restarts.file_by_worker);
		file.get("before_ns", restarts.file_before_ns);
	});
}

static void read(const Fields &from, SessionSummary &summary) {
	from.need("duration_ns", summary.duration_ns);
	read_list(from, "loops", summary.loops);
	from.get("loops_left_out", summary.loops_left_out);
	read_list(from, "lines", summary.lines);
	read_list(from, "processes", summary.processes);
	read_list(from, "restarts", summary.restarts);
	from.object("lost", [&](const Fields &lost) {
		for (std::size_t i = 0; i < loss_count; i++) {
			lost.get(std::string(loss_texts.at(i).name).c_str(), summary.lost.at(i));
		}
	});
}

namespace {

Error not_a_record(std::string where) { return make_error("read the record", std::move(where)); }

template <typename T> Result<std::optional<Record>> record_of(const nlohmann::json &json, const std::string &type) {
	std::string problem;
	T value{};
	read(Fields(json, type, problem), value);
	if (!problem.empty()) {
		return not_a_record(std::move(problem));
	}
	return std::optional<Record>(std::move(value));
}

} // namespace

Result<std::optional<Record>> parse_json_line(std::string_view line) {
	if (too_deep(line)) {
		return not_a_record(fmt::format("nested deeper than {} levels", deepest));
	}
	const nlohmann::json json = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
	if (json.is_discarded()) {
		return not_a_record("not JSON");
	}
	if (!json.is_object()) {
		return not_a_record("not a JSON object");
	}
	const auto type_field = json.find("type");
	if (type_field == json.end() || !type_field->is_string()) {
		return not_a_record("type: missing or not a string");
	}
	const auto &type = type_field->get_ref<const std::string &>();
	if (type == "session") {
		return record_of<SessionStart>(json, type);
	}
	if (type == "loop") {
		return record_of<LoopFound>(json, type);
	}
	if (type == "stall") {
		return record_of<Stall>(json, type);
	}
	if (type == "exit") {
		return record_of<ProcessExit>(json, type);
	}
	if (type == "exec") {
		return record_of<ProcessExec>(json, type);
	}
	if (type == "fork") {
		return record_of<ProcessFork>(json, type);
	}
	if (type == "dump") {
		return record_of<Dump>(json, type);
	}
	if (type == "summary") {
		return record_of<SessionSummary>(json, type);
	}
	return std::optional<Record>{};
}

} // namespace loopsnoop::output
