// SPDX-License-Identifier: Apache-2.0
#include "output/json_parts.h"

#include <fmt/format.h>

namespace loopsnoop::output {

namespace {

Json hexadecimal(std::uint64_t value) { return fmt::format("{:#x}", value); }

struct ResourceToJson {
	Json operator()(const FileResource &file) const {
		Json json{{"kind", "file"}, {"fd", or_null(file.fd)}, {"path", or_null(file.path)}};
		if (file.holder) {
			json["holder"] = to_json(*file.holder);
		}
		return json;
	}
	Json operator()(const SocketResource &socket) const {
		Json json{{"kind", "socket"}, {"fd", or_null(socket.fd)}, {"protocol", socket.protocol}};
		const bool is_unix = socket.protocol == "unix";
		if (is_unix || socket.path) {
			json["path"] = or_null(socket.path);
		}
		if (!is_unix || socket.local || socket.remote) {
			json["local"] = or_null(socket.local);
			json["remote"] = or_null(socket.remote);
		}
		json["state"] = or_null(socket.state);
		json["peer"] = or_null(socket.peer);
		return json;
	}
	Json operator()(const PipeResource &pipe) const {
		return {{"kind", "pipe"}, {"fd", or_null(pipe.fd)}, {"path", or_null(pipe.path)}, {"peer", or_null(pipe.peer)}};
	}
	Json operator()(const FutexResource &futex) const {
		Json json{{"kind", "futex"},
		          {"address", hexadecimal(futex.address)},
		          {"lock", name_of(futex.lock)},
		          {"holder", or_null(futex.holder)}};
		if (futex.type) {
			json["type"] = *futex.type;
		}
		return json;
	}
	Json operator()(const TimerResource &timer) const {
		return {{"kind", "timer"}, {"requested_ns", or_null(timer.requested_ns)}};
	}
	Json operator()(const ProcessResource &process) const {
		return {{"kind", "process"}, {"pid", or_null(process.pid)}, {"comm", or_null(process.comm)}};
	}
	Json operator()(const FdsResource &several) const {
		Json fds = Json::array();
		for (const Resource &one : several.fds) {
			fds.push_back(std::visit(*this, one.is));
		}
		return {{"kind", "fds"}, {"fds", std::move(fds)}};
	}
};

Json from_or_null(StackFrom from) {
	switch (from) {
	case StackFrom::captured: return "captured";
	case StackFrom::live: return "live";
	case StackFrom::none: break;
	}
	return nullptr;
}

template <typename T> Json list(const std::vector<T> &values) {
	Json json = Json::array();
	for (const T &value : values) {
		json.push_back(to_json(value));
	}
	return json;
}

} // namespace

Json to_json(const Listener &listener) { return {{"address", listener.address}, {"waiting", or_null(listener.waiting)}}; }

Json to_json(const ProcessLife &life) {
	const auto text = [](const std::string &value) { return value.empty() ? Json(nullptr) : Json(value); };
	Json json{{"pid", life.pid},
	          {"parent", or_null(life.parent)},
	          {"comm", text(life.comm)},
	          {"command", text(life.command)},
	          {"start_ns", life.start_ns},
	          {"lived_ns", life.lived_ns},
	          {"ended", life.ended},
	          {"status", or_null(life.status)},
	          {"signal", or_null(life.signal)},
	          {"loop", life.came_to_loop},
	          {"accepted", or_null(life.accepted)},
	          {"ended_by", nullptr},
	          {"doing", text(life.doing)},
	          {"culprit", or_null(life.culprit)},
	          {"writes", Json::array()}};
	if (life.ended_by) {
		json["ended_by"] = {{"signal", life.ended_by->signal}, {"pid", life.ended_by->pid}, {"comm", text(life.ended_by->comm)}};
	}
	for (const ProcessLife::Write &write : life.writes) {
		json["writes"].push_back({{"path", write.path}, {"time_ns", write.time_ns}});
	}
	return json;
}

Json to_json(const Restarts &restarts) {
	const auto text = [](const std::string &value) { return value.empty() ? Json(nullptr) : Json(value); };
	Json json{{"parent", restarts.parent},
	          {"comm", text(restarts.parent_comm)},
	          {"workers", restarts.workers},
	          {"served", restarts.accepts_known ? Json(restarts.served) : Json(nullptr)},
	          {"loops", restarts.came_to_loop},
	          {"shortest_ns", restarts.shortest_ns},
	          {"longest_ns", restarts.longest_ns},
	          {"ended_by", nullptr},
	          {"doing", text(restarts.doing)},
	          {"culprit", or_null(restarts.culprit)},
	          {"file", nullptr}};
	if (restarts.ended_by) {
		json["ended_by"] = {{"signal", restarts.ended_by->signal},
		                    {"pid", restarts.ended_by->pid},
		                    {"comm", text(restarts.ended_by->comm)},
		                    {"count", restarts.ended_by_count}};
	}
	if (!restarts.file.empty()) {
		json["file"] = {{"path", restarts.file},
		                {"count", restarts.file_count},
		                {"by_worker", restarts.file_by_worker},
		                {"before_ns", restarts.file_before_ns}};
	}
	return json;
}

Json to_json(const Peer &peer) { return {{"pid", peer.pid}, {"comm", peer.comm}}; }

Json to_json(const Holder &holder) {
	return {{"tid", holder.tid}, {"thread", holder.thread}, {"how", holder.inferred ? "inferred" : "owner field"}};
}

Json to_json(const NativeFrame &frame) {
	return {{"function", or_null(frame.function)},
	        {"module", or_null(frame.module)},
	        {"offset", hexadecimal(frame.offset)},
	        {"file", or_null(frame.file)},
	        {"line", or_null(frame.line)}};
}

Json to_json(const KernelFrame &frame) { return {{"function", or_null(frame.function)}, {"offset", hexadecimal(frame.offset)}}; }

Json to_json(const Waker &waker) {
	return {{"pid", waker.pid},
	        {"tid", waker.tid},
	        {"comm", waker.comm},
	        {"thread", waker.thread},
	        {"context", waker.interrupt ? "interrupt" : "thread"},
	        {"stack", or_null(waker.stack)}};
}

Json to_json(const CpuPart &part) { return {{"samples", part.samples}, {"ns", part.ns}, {"stack", to_json(part.stack)}}; }

Json to_json(const SourceFrame &frame) {
	// What could not be read of a frame is null, like everywhere.
	const auto text = [](const std::string &value) { return value.empty() || value == "?" ? Json(nullptr) : Json(value); };
	return {{"function", text(frame.function)}, {"file", text(frame.file)}, {"line", or_null(frame.line)}};
}

Json to_json(const Stack &stack) {
	Json json = Json::object();
	if (!stack.python.empty()) {
		json["python"] = list(stack.python);
	}
	if (!stack.javascript.empty()) {
		json["javascript"] = list(stack.javascript);
	}
	if (!stack.native.empty()) {
		json["native"] = list(stack.native);
	}
	if (!stack.kernel.empty()) {
		json["kernel"] = list(stack.kernel);
	}
	if (stack.native_truncated) {
		json["native_truncated"] = true;
	}
	return json;
}

Json to_json(const Resource &resource) { return std::visit(ResourceToJson{}, resource.is); }

Json to_json(const Breakdown &breakdown) {
	Json json = Json::object();
	for (std::size_t i = 0; i < cause_count; i++) {
		const CausePart &part = breakdown.at(i);
		if (part.ns != 0 || part.count != 0) {
			json[std::string(cause_texts.at(i).name)] = {{"ns", part.ns}, {"count", part.count}};
		}
	}
	return json;
}

Json to_json(const Wait &wait) {
	return {{"cause", name_of(wait.cause)},      {"syscall", or_null(wait.syscall)},
	        {"start_ns", wait.start_ns},         {"duration_ns", wait.duration_ns},
	        {"run_delay_ns", wait.run_delay_ns}, {"count", wait.count},
	        {"ongoing", wait.ongoing},           {"resource", or_null(wait.resource)},
	        {"stack", or_null(wait.stack)},      {"stack_from", from_or_null(wait.stack_from)},
	        {"waker", or_null(wait.waker)}};
}

Json to_json(const GilHolding &holder) {
	return {{"tid", holder.tid},         {"thread", holder.thread},
	        {"samples", holder.samples}, {"ns", holder.ns},
	        {"how", "inferred"},         {"stack", holder.stack.empty() ? Json(nullptr) : to_json(holder.stack)}};
}

Json to_json(const GilStory &gil) { return {{"ns", gil.ns}, {"count", gil.count}, {"holders", list(gil.holders)}}; }

Json to_json(const ThreadView &thread) {
	Json json{{"tid", thread.tid},
	          {"thread", thread.thread},
	          {"state", name_of(thread.state)},
	          {"waited_ns", or_null(thread.waited_ns)},
	          {"cause", thread.cause ? Json(name_of(*thread.cause)) : Json(nullptr)},
	          {"syscall", or_null(thread.syscall)},
	          {"resource", or_null(thread.resource)},
	          {"holds_gil", or_null(thread.holds_gil)},
	          {"stack", or_null(thread.stack)}};
	if (thread.moved) {
		json["moved"] = true;
	}
	return json;
}

Json to_json(const Stall &stall) {
	Json json{{"type", "stall"},
	          {"id", stall.id},
	          {"phase", stall.ongoing ? "ongoing" : "ended"},
	          {"start_ns", stall.start_ns},
	          {"started_at", stall.started_at},
	          {"duration_ns", stall.duration_ns},
	          {"truncated", stall.truncated == Truncated::no ? Json(nullptr) : Json(name_of(stall.truncated))},
	          {"pid", stall.pid},
	          {"tid", stall.tid},
	          {"comm", stall.comm},
	          {"thread", stall.thread},
	          {"cause", name_of(stall.cause)},
	          {"breakdown", to_json(stall.breakdown)},
	          {"culprit", or_null(stall.culprit)},
	          {"summary", stall.summary}};
	if (stall.advice) {
		json["advice"] = *stall.advice;
	}
	if (stall.goes_on) {
		json["goes_on"] = true;
	}
	if (stall.no_loop_yet) {
		json["no_loop_yet"] = true;
	}
	json["waits"] = list(stall.waits);
	json["cpu"] = list(stall.cpu);
	if (stall.gil) {
		json["gil"] = to_json(*stall.gil);
	}
	json["throttled_ns"] = or_null(stall.throttled_ns);
	if (stall.startup) {
		json["startup"] = {{"listening", list(stall.startup->listening)}, {"process_age_ns", stall.startup->process_age_ns}};
	}
	if (stall.pool) {
		json["pool"] = {
		    {"name", stall.pool->pool}, {"users", stall.pool->users}, {"waiters", stall.pool->waiters}, {"how", "inferred"}};
	}
	if (stall.peer) {
		json["peer"] = {{"pid", stall.peer->pid},
		                {"comm", stall.peer->comm},
		                {"waits_for_us", stall.peer->waits_for_us},
		                {"thread", to_json(stall.peer->thread)}};
	}
	if (stall.threads) {
		json["threads"] = list(*stall.threads);
	}
	if (stall.deadlock) {
		json["deadlock"] = *stall.deadlock;
	}
	return json;
}

std::string dump_line(const Json &json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

} // namespace loopsnoop::output
