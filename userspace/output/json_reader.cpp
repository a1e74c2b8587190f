// SPDX-License-Identifier: Apache-2.0
#include "output/json_reader.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <system_error>

#include "output/json_fields.h"

namespace loopsnoop::output {

void Fields::get_hexadecimal(const char *name, std::uint64_t &out) const {
	std::optional<std::string> text;
	get(name, text);
	if (!text) {
		return;
	}
	const char *end = text->data() + text->size();
	const bool prefixed = text->starts_with("0x") && text->size() > 2;
	const auto [stopped, failure] = std::from_chars(text->data() + (prefixed ? 2 : 0), end, out, 16);
	if (!prefixed || failure != std::errc{} || stopped != end) {
		complain(place_of(name), "not a hexadecimal number");
	}
}

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

// One name of a closed list, by `name_of` of each of its values; unknown ones leave the default.
template <typename E> void get_name(const Fields &from, const char *field, std::initializer_list<E> all, E &out) {
	std::optional<std::string> name;
	from.get(field, name);
	for (const E one : all) {
		if (name && name_of(one) == *name) {
			out = one;
		}
	}
}

std::optional<Cause> get_cause(const Fields &from) {
	std::optional<std::string> name;
	from.get("cause", name);
	if (!name) {
		return std::nullopt;
	}
	return cause_named(*name).value_or(Cause::other);
}

void read(const Fields &from, Peer &peer) {
	from.get("pid", peer.pid);
	from.get("comm", peer.comm);
}

void read(const Fields &from, SourceFrame &frame) {
	from.get("function", frame.function);
	from.get("file", frame.file);
	from.get("line", frame.line);
}

void read(const Fields &from, NativeFrame &frame) {
	from.get("function", frame.function);
	from.get("module", frame.module);
	from.get_hexadecimal("offset", frame.offset);
	from.get("file", frame.file);
	from.get("line", frame.line);
}

void read(const Fields &from, KernelFrame &frame) {
	from.get("function", frame.function);
	from.get_hexadecimal("offset", frame.offset);
}

// The templates below look names up where they stand.
void read(const Fields &from, Stack &stack);
void read(const Fields &from, Holder &holder);
void read(const Fields &from, Waker &waker);
void read(const Fields &from, Wait &wait);
void read(const Fields &from, CpuPart &part);
void read(const Fields &from, GilHolding &holder);
void read(const Fields &from, GilStory &gil);
void read(const Fields &from, ThreadView &thread);
void read(const Fields &from, LoopTotals &loop);
void read(const Fields &from, LineTotals &line);
void read(const Fields &from, Listener &listener);
void read(const Fields &from, Startup &startup);
void read(const Fields &from, PoolWait &pool);
void read(const Fields &from, PeerLook &peer);
void read(const Fields &from, ProcessLife &life);
void read(const Fields &from, Restarts &restarts);

template <typename T> void read_list(const Fields &from, const char *name, std::vector<T> &out) {
	from.list(name, [&](const Fields &one) { read(one, out.emplace_back()); });
}

template <typename T> void read_object(const Fields &from, const char *name, std::optional<T> &out) {
	from.object(name, [&](const Fields &fields) { read(fields, out.emplace()); });
}

void read(const Fields &from, Stack &stack) {
	read_list(from, "python", stack.python);
	read_list(from, "javascript", stack.javascript);
	read_list(from, "native", stack.native);
	read_list(from, "kernel", stack.kernel);
	from.get("native_truncated", stack.native_truncated);
}

void read(const Fields &from, Holder &holder) {
	from.get("tid", holder.tid);
	from.get("thread", holder.thread);
	std::string how;
	from.get("how", how);
	holder.inferred = how != "owner field"; // what is not known to be read is a guess
}

void read(const Fields &from, FileResource &file) {
	from.get("fd", file.fd);
	from.get("path", file.path);
	read_object(from, "holder", file.holder);
}

void read(const Fields &from, SocketResource &socket) {
	from.get("fd", socket.fd);
	from.get("protocol", socket.protocol);
	from.get("local", socket.local);
	from.get("remote", socket.remote);
	from.get("path", socket.path);
	from.get("state", socket.state);
	read_object(from, "peer", socket.peer);
}

void read(const Fields &from, PipeResource &pipe) {
	from.get("fd", pipe.fd);
	from.get("path", pipe.path);
	read_object(from, "peer", pipe.peer);
}

void read(const Fields &from, FutexResource &futex) {
	from.get_hexadecimal("address", futex.address);
	get_name(from, "lock", {LockKind::gil, LockKind::pthread_mutex, LockKind::python_lock}, futex.lock);
	read_object(from, "holder", futex.holder);
	from.get("type", futex.type);
}

std::optional<Resource> read_resource(const Fields &from);

void read(const Fields &from, FdsResource &several) {
	from.list("fds", [&](const Fields &one) {
		if (std::optional<Resource> resource = read_resource(one)) {
			several.fds.push_back(std::move(*resource));
		}
	});
}

template <typename T> Resource resource_of(const Fields &from) {
	T value;
	read(from, value);
	return Resource{std::move(value)};
}

// nullopt: of a kind that is not known.
std::optional<Resource> read_resource(const Fields &from) {
	std::string kind;
	from.need("kind", kind);
	if (kind == "file") {
		return resource_of<FileResource>(from);
	}
	if (kind == "socket") {
		return resource_of<SocketResource>(from);
	}
	if (kind == "pipe") {
		return resource_of<PipeResource>(from);
	}
	if (kind == "futex") {
		return resource_of<FutexResource>(from);
	}
	if (kind == "timer") {
		TimerResource timer;
		from.get("requested_ns", timer.requested_ns);
		return Resource{timer};
	}
	if (kind == "process") {
		ProcessResource process;
		from.get("pid", process.pid);
		from.get("comm", process.comm);
		return Resource{std::move(process)};
	}
	if (kind == "fds") {
		return resource_of<FdsResource>(from);
	}
	return std::nullopt;
}

void get_resource(const Fields &from, std::optional<Resource> &out) {
	from.object("resource", [&](const Fields &resource) { out = read_resource(resource); });
}

void read(const Fields &from, Waker &waker) {
	from.get("pid", waker.pid);
	from.get("tid", waker.tid);
	from.get("comm", waker.comm);
	from.get("thread", waker.thread);
	std::string context;
	from.get("context", context);
	waker.interrupt = context == "interrupt";
	read_object(from, "stack", waker.stack);
}

void read(const Fields &from, Wait &wait) {
	wait.cause = get_cause(from).value_or(Cause::other);
	from.get("syscall", wait.syscall);
	from.get("start_ns", wait.start_ns);
	from.get("duration_ns", wait.duration_ns);
	from.get("run_delay_ns", wait.run_delay_ns);
	from.get("count", wait.count);
	from.get("ongoing", wait.ongoing);
	get_resource(from, wait.resource);
	read_object(from, "stack", wait.stack);
	std::string stack_from;
	from.get("stack_from", stack_from);
	if (stack_from == "captured") {
		wait.stack_from = StackFrom::captured;
	} else if (stack_from == "live") {
		wait.stack_from = StackFrom::live;
	}
	read_object(from, "waker", wait.waker);
}

void read(const Fields &from, CpuPart &part) {
	from.get("samples", part.samples);
	from.get("ns", part.ns);
	from.object("stack", [&](const Fields &stack) { read(stack, part.stack); });
}

void read(const Fields &from, GilHolding &holder) {
	from.get("tid", holder.tid);
	from.get("thread", holder.thread);
	from.get("samples", holder.samples);
	from.get("ns", holder.ns);
	from.object("stack", [&](const Fields &stack) { read(stack, holder.stack); });
}

void read(const Fields &from, GilStory &gil) {
	from.get("ns", gil.ns);
	from.get("count", gil.count);
	read_list(from, "holders", gil.holders);
}

void read(const Fields &from, ThreadView &thread) {
	using State = ThreadView::State;
	from.get("tid", thread.tid);
	from.get("thread", thread.thread);
	get_name(from, "state", {State::running, State::runnable, State::sleeping, State::disk_sleep, State::stopped}, thread.state);
	from.get("waited_ns", thread.waited_ns);
	thread.cause = get_cause(from);
	from.get("syscall", thread.syscall);
	get_resource(from, thread.resource);
	from.get("holds_gil", thread.holds_gil);
	read_object(from, "stack", thread.stack);
	from.get("moved", thread.moved);
}

void read(const Fields &from, Breakdown &breakdown) {
	if (!from.json().is_object()) {
		return;
	}
	for (const auto &[name, value] : from.json().items()) {
		CausePart part;
		from.object(name.c_str(), [&](const Fields &fields) {
			fields.get("ns", part.ns);
			fields.get("count", part.count);
		});
		CausePart &sum = part_of(breakdown, cause_named(name).value_or(Cause::other));
		sum.ns += part.ns;
		sum.count += part.count;
	}
}

void read(const Fields &from, SessionStart &session) {
	from.get("version", session.version);
	from.get("started_at", session.started_at);
	from.need("start_ns", session.start_ns);
	from.get("host", session.host);
	from.get("kernel", session.kernel);
	from.get("threshold_ns", session.threshold_ns);
	from.values("argv", session.argv);
	from.values("missing", session.missing);
	from.get("discovery", session.discovery);
}

void read(const Fields &from, LoopFound &loop) {
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

void read(const Fields &from, Listener &listener) {
	from.get("address", listener.address);
	from.get("waiting", listener.waiting);
}

void read(const Fields &from, Startup &startup) {
	read_list(from, "listening", startup.listening);
	from.get("process_age_ns", startup.process_age_ns);
}

void read(const Fields &from, PoolWait &pool) {
	from.get("name", pool.pool);
	from.values("users", pool.users);
	from.values("waiters", pool.waiters);
}

void read(const Fields &from, PeerLook &peer) {
	from.get("pid", peer.pid);
	from.get("comm", peer.comm);
	from.get("waits_for_us", peer.waits_for_us);
	from.object("thread", [&](const Fields &thread) { read(thread, peer.thread); });
}

void read(const Fields &from, Stall &stall) {
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
	get_name(from, "truncated", {Truncated::before_attach, Truncated::session_end, Truncated::target_exit}, stall.truncated);
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

void read(const Fields &from, Dump &dump) {
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

void read(const Fields &from, ProcessExit &exit) {
	from.need("pid", exit.pid);
	from.get("start_ns", exit.start_ns);
	from.get("status", exit.status);
	from.get("signal", exit.signal);
}

void read(const Fields &from, ProcessExec &exec) {
	from.need("pid", exec.pid);
	from.get("start_ns", exec.start_ns);
	from.get("comm", exec.comm);
}

void read(const Fields &from, ProcessFork &fork) {
	from.need("pid", fork.pid);
	from.get("start_ns", fork.start_ns);
	from.need("child", fork.child);
}

void read(const Fields &from, LoopTotals &loop) {
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

void read(const Fields &from, LineTotals &line) {
	read(from, line.line);
	line.cause = get_cause(from).value_or(Cause::other);
	from.get("on", line.on);
	from.get("stalls", line.stalls);
	from.get("count", line.count);
	from.get("ns", line.ns);
	from.get("longest_ns", line.longest_ns);
}

void read_ended_by(const Fields &from, std::optional<ProcessLife::EndedBy> &by, std::uint64_t *count) {
	from.object("ended_by", [&](const Fields &fields) {
		by.emplace();
		fields.get("signal", by->signal);
		fields.get("pid", by->pid);
		fields.get("comm", by->comm);
		if (count != nullptr) {
			fields.get("count", *count);
		}
	});
}

void read(const Fields &from, ProcessLife &life) {
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

void read(const Fields &from, Restarts &restarts) {
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

void read(const Fields &from, SessionSummary &summary) {
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
