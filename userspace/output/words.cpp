// SPDX-License-Identifier: Apache-2.0
#include "output/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/duration.h"
#include "base/escape.h"
#include "model/application.h"

namespace loopsnoop::output {

namespace {

constexpr std::size_t most_descriptors = 3; // told one by one

std::string peer_words(const std::optional<Peer> &peer) {
	return peer ? fmt::format(" of {} (pid {})", printable(peer->comm), peer->pid) : std::string{};
}

std::string fd_words(const std::optional<int> &fd) { return fd ? fmt::format("fd {}", *fd) : std::string{}; }

std::string lock_name(const FutexResource &futex) {
	if (futex.type == thread_end) {
		return "the end of a thread";
	}
	if (futex.type && futex.lock != LockKind::gil && futex.lock != LockKind::pthread_mutex) {
		return fmt::format("{} {:#x}", printable(*futex.type), futex.address);
	}
	switch (futex.lock) {
	case LockKind::gil: return "the GIL";
	case LockKind::pthread_mutex: return fmt::format("mutex {:#x}", futex.address);
	case LockKind::python_lock: return fmt::format("Python lock {:#x}", futex.address);
	case LockKind::unknown: break;
	}
	return fmt::format("lock {:#x}", futex.address);
}

struct ResourceWords {
	std::string operator()(const FileResource &file) const {
		const std::string name = file.path ? printable(*file.path, shown_path_bytes) : file.fd ? fd_words(file.fd) : "a file";
		return file.holder ? fmt::format("{}, locked by {} (pid {})", name, printable(file.holder->comm), file.holder->pid)
		                   : name;
	}
	std::string operator()(const SocketResource &socket) const {
		std::string text = printable(socket.protocol);
		if (text.empty()) {
			text = "socket";
		}
		if (socket.path) {
			text += fmt::format(" socket {}", printable(*socket.path, shown_path_bytes));
		} else if (socket.remote) {
			text += ' ' + printable(*socket.remote);
		} else if (socket.local) {
			text += " socket at " + printable(*socket.local);
		} else {
			text += text == "socket" ? "" : " socket";
			text += socket.fd ? ' ' + fd_words(socket.fd) : "";
		}
		text += peer_words(socket.peer);
		if (socket.state && *socket.state != "ESTABLISHED") {
			text += fmt::format(", {}", printable(*socket.state));
		}
		return text;
	}
	std::string operator()(const PipeResource &pipe) const {
		std::string text = pipe.path ? "FIFO " + printable(*pipe.path, shown_path_bytes) : "a pipe";
		if (!pipe.path && pipe.fd) {
			text = "pipe " + fd_words(pipe.fd);
		}
		if (pipe.peer) {
			text += fmt::format(", {} (pid {}) at its other end", printable(pipe.peer->comm), pipe.peer->pid);
		}
		return text;
	}
	std::string operator()(const FutexResource &futex) const {
		std::string text = lock_name(futex);
		if (futex.holder && futex.type == thread_end) {
			return fmt::format("the end of {} (tid {})",
			                   futex.holder->thread.empty() ? "a thread" : printable(futex.holder->thread), futex.holder->tid);
		}
		if (futex.holder) {
			text += fmt::format(", {}held by {} (tid {})", futex.holder->inferred ? "probably " : "",
			                    futex.holder->thread.empty() ? "thread" : printable(futex.holder->thread), futex.holder->tid);
		}
		return text;
	}
	std::string operator()(const TimerResource &timer) const {
		return timer.requested_ns ? fmt::format("requested {}", format_rounded_duration(*timer.requested_ns)) : "a timer";
	}
	std::string operator()(const ProcessResource &process) const {
		if (!process.pid) {
			return "any child";
		}
		return process.comm ? fmt::format("child {} (pid {})", printable(*process.comm), *process.pid)
		                    : fmt::format("child pid {}", *process.pid);
	}
	std::string operator()(const FdsResource &several) const {
		std::string text = plural(several.fds.size(), "descriptor");
		for (std::size_t i = 0; i < std::min(several.fds.size(), most_descriptors); i++) {
			text += (i == 0 ? ": " : "; ") + std::visit(*this, several.fds[i].is);
		}
		return several.fds.size() > most_descriptors ? text + "; …" : text;
	}
};

// "audit.py:57", as a summary would name the line whatever it does with the path before it.
std::string short_place(const SourceFrame &frame) {
	const std::string name = printable(name_of_file(frame.file), shown_path_bytes);
	return frame.line ? fmt::format("{}:{}", name, *frame.line) : name;
}

// Where no frame is the application's own: what Node was asked for, else the innermost one.
const NativeFrame *most_telling(const std::vector<NativeFrame> &frames) {
	const auto of_node = std::ranges::find_if(
	    frames, [](const NativeFrame &frame) { return frame.function && frame.function->starts_with("node::"); });
	return of_node != frames.end() ? &*of_node : frames.empty() ? nullptr : &frames.front();
}

} // namespace

std::string_view name_of_file(std::string_view path) {
	const std::size_t slash = path.rfind('/');
	return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string words_for(const Resource &resource) { return std::visit(ResourceWords{}, resource.is); }

std::string place_of(const SourceFrame &frame) {
	const std::string file = printable(frame.file, shown_path_bytes);
	return frame.line ? fmt::format("{}:{}", file, *frame.line) : file;
}

std::string words_for(const SourceFrame &frame) { return fmt::format("{} ({})", printable(frame.function), place_of(frame)); }

std::string words_for(const NativeFrame &frame) {
	if (frame.function) {
		return printable(*frame.function);
	}
	return fmt::format("{}{}{:#x}", frame.module ? printable(name_of_file(*frame.module)) : "", frame.module ? "+" : "",
	                   frame.offset);
}

std::string call_words(const std::optional<std::string> &syscall, const std::optional<Resource> &resource) {
	std::string text = syscall ? printable(*syscall) + "()" : std::string{};
	if (!resource) {
		return text;
	}
	if (!text.empty()) {
		const bool child = std::holds_alternative<ProcessResource>(resource->is);
		const bool timer = std::holds_alternative<TimerResource>(resource->is);
		text += child ? " for " : timer ? ", " : " on ";
	}
	return text + words_for(*resource);
}

std::string range_words(std::uint64_t least_ns, std::uint64_t most_ns) {
	const std::string least = format_duration(least_ns);
	std::string most = format_duration(most_ns);
	const std::size_t unit = least.find(' ');
	if (least == most) {
		return most;
	}
	// "50 ms" and "320 ms" share their unit; "3 min 05 s" has none to share.
	const bool shared = unit == least.rfind(' ') && most.find(' ') == most.rfind(' ') && most.ends_with(least.substr(unit));
	return fmt::format("{}–{}", shared ? least.substr(0, unit) : least, most);
}

std::string words_for(const Breakdown &breakdown) {
	std::vector<std::size_t> order;
	for (std::size_t i = 0; i < cause_count; i++) {
		if (breakdown.at(i).ns > 0) {
			order.push_back(i);
		}
	}
	std::stable_sort(order.begin(), order.end(),
	                 [&](std::size_t a, std::size_t b) { return breakdown.at(a).ns > breakdown.at(b).ns; });
	std::string text;
	for (const std::size_t i : order) {
		text += fmt::format("{}{} {}", text.empty() ? "" : ", ", cause_texts.at(i).name, format_duration(breakdown.at(i).ns));
		if (breakdown.at(i).count > 1 && static_cast<Cause>(i) != Cause::cpu) {
			text += fmt::format(" ×{}", thousands(breakdown.at(i).count));
		}
	}
	return text;
}

std::string thousands(std::uint64_t number) {
	std::string text = std::to_string(number);
	for (std::size_t at = text.size(); at > 3; at -= 3) {
		text.insert(at - 3, ",");
	}
	return text;
}

std::string percent(std::uint64_t part, std::uint64_t all) {
	if (all == 0) {
		return "-";
	}
	const double share = 100.0 * static_cast<double>(part) / static_cast<double>(all);
	return share < 9.95 ? fmt::format("{:.1f} %", share) : fmt::format("{:.0f} %", share);
}

std::string plural(std::uint64_t number, std::string_view noun) {
	return fmt::format("{} {}{}", thousands(number), noun, number == 1 ? "" : "s");
}

const Wait *main_wait(const Stall &stall) {
	const Wait *best = nullptr;
	for (const Wait &wait : stall.waits) {
		const bool matches = wait.cause == stall.cause;
		const bool best_matches = best != nullptr && best->cause == stall.cause;
		if (best == nullptr || (matches && !best_matches) || (matches == best_matches && wait.duration_ns > best->duration_ns)) {
			best = &wait;
		}
	}
	return best;
}

std::string where(const Stall &stall) {
	if (stall.culprit) {
		return words_for(*stall.culprit);
	}
	const Stack *stack = nullptr;
	if (const Wait *wait = main_wait(stall); wait != nullptr && wait->stack) {
		stack = &*wait->stack;
	} else if (!stall.cpu.empty()) {
		stack = &stall.cpu.front().stack;
	}
	if (stack == nullptr) {
		return {};
	}
	for (const std::vector<SourceFrame> *frames : {&stack->python, &stack->javascript}) {
		if (const SourceFrame *own = innermost_application_frame(*frames); own != nullptr) {
			return words_for(*own);
		}
		if (!frames->empty()) {
			return words_for(frames->front());
		}
	}
	const NativeFrame *native = innermost_application_frame(stack->native);
	if (native == nullptr) {
		native = most_telling(stack->native);
	}
	if (native == nullptr) {
		return {};
	}
	if (native->function && native->function->starts_with("node::")) {
		std::string name = *native->function;
		constexpr std::string_view anonymous = "(anonymous namespace)::";
		if (const std::size_t at = name.find(anonymous); at != std::string::npos) {
			name.erase(at, anonymous.size());
		}
		return printable(name.substr(0, name.find('('))) + "()"; // its arguments are V8's
	}
	if (native->file) {
		return words_for(SourceFrame{words_for(*native), *native->file, native->line});
	}
	return native->function && native->module
	           ? fmt::format("{} ({})", words_for(*native), printable(name_of_file(*native->module)))
	           : words_for(*native);
}

std::string headline(const Stall &stall) {
	const std::string blocked = fmt::format("blocked {}{}", format_duration(stall.duration_ns), stall.ongoing ? " (still)" : "");
	std::string text;
	if (stall.summary.empty()) {
		text = fmt::format("{} {}", blocked, words_of(stall.cause));
		if (const Wait *wait = main_wait(stall); wait != nullptr && wait->cause == stall.cause && wait->resource) {
			text += ": " + words_for(*wait->resource);
		}
	} else {
		text = printable(stall.summary, 4 * shown_path_bytes);
		if (!text.starts_with("blocked")) {
			text.insert(0, blocked + ": ");
		}
	}
	if (stall.culprit && text.find(short_place(*stall.culprit)) == std::string::npos) {
		text += ", in " + words_for(*stall.culprit);
	} else if (stall.summary.empty() && !stall.culprit) {
		const std::string at = where(stall);
		text += at.empty() ? at : ", in " + at;
	}
	return text;
}

} // namespace loopsnoop::output
