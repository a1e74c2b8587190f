// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "model/session.h"

namespace loopsnoop::output {

// T is `Of`, or a const one: a list of fields serves a writer, which gets const values, and a reader, which fills them.
template <typename T, typename Of>
concept Is = std::same_as<std::remove_const_t<T>, Of>;

// What a reader makes of a word that is neither of the two it knows.
enum class Unknown : std::uint8_t { is_false, is_true, is_error };

// The word of `type` of each record.
template <typename Record> inline constexpr std::string_view record_type;
template <> inline constexpr std::string_view record_type<SessionStart> = "session";
template <> inline constexpr std::string_view record_type<LoopFound> = "loop";
template <> inline constexpr std::string_view record_type<Stall> = "stall";
template <> inline constexpr std::string_view record_type<Dump> = "dump";
template <> inline constexpr std::string_view record_type<ProcessExit> = "exit";
template <> inline constexpr std::string_view record_type<ProcessExec> = "exec";
template <> inline constexpr std::string_view record_type<ProcessFork> = "fork";
template <> inline constexpr std::string_view record_type<SessionSummary> = "summary";
template <> inline constexpr std::string_view record_type<Standstill> = "standstill";
template <> inline constexpr std::string_view record_type<TaskSnapshot> = "tasks";

// The word of `kind` of each alternative of a variant.
template <typename Kind> inline constexpr std::string_view kind_name;
template <> inline constexpr std::string_view kind_name<FileResource> = "file";
template <> inline constexpr std::string_view kind_name<SocketResource> = "socket";
template <> inline constexpr std::string_view kind_name<PipeResource> = "pipe";
template <> inline constexpr std::string_view kind_name<FutexResource> = "futex";
template <> inline constexpr std::string_view kind_name<TimerResource> = "timer";
template <> inline constexpr std::string_view kind_name<ProcessResource> = "process";
template <> inline constexpr std::string_view kind_name<FdsResource> = "fds";

// All values of an enum that is written by its `name_of`; the name "" is written as null.
template <typename E> inline constexpr std::array<E, 0> all_values{};
template <> inline constexpr std::array all_values<TaskState>{TaskState::pending, TaskState::ready, TaskState::running};
template <> inline constexpr std::array all_values<RuntimeKind>{RuntimeKind::native, RuntimeKind::cpython, RuntimeKind::node};
template <>
inline constexpr std::array all_values<LockKind>{LockKind::gil, LockKind::pthread_mutex, LockKind::python_lock,
                                                 LockKind::unknown};
template <> inline constexpr std::array all_values<StackFrom>{StackFrom::captured, StackFrom::live};
template <>
inline constexpr std::array all_values<ThreadView::State>{ThreadView::State::running, ThreadView::State::runnable,
                                                          ThreadView::State::sleeping, ThreadView::State::disk_sleep,
                                                          ThreadView::State::stopped};
template <>
inline constexpr std::array all_values<Truncated>{Truncated::before_attach, Truncated::session_end, Truncated::target_exit,
                                                  Truncated::end_lost};

template <>
inline constexpr std::array all_values<NoEnd>{NoEnd::only_thread, NoEnd::others_idle, NoEnd::timer, NoEnd::before_fork,
                                              NoEnd::each_other};
template <> inline constexpr std::array all_values<NoStack>{NoStack::too_many, NoStack::refused, NoStack::not_run};
template <>
inline constexpr std::array all_values<StandstillKind>{StandstillKind::lost_wakeup, StandstillKind::task_deadlock,
                                                       StandstillKind::no_answer, StandstillKind::not_accepted,
                                                       StandstillKind::spin};
template <>
inline constexpr std::array all_values<WaitsForKind>{
    WaitsForKind::task,      WaitsForKind::tasks,     WaitsForKind::lock,      WaitsForKind::event, WaitsForKind::condition,
    WaitsForKind::semaphore, WaitsForKind::queue_get, WaitsForKind::queue_put, WaitsForKind::pool,  WaitsForKind::sleep,
    WaitsForKind::socket,    WaitsForKind::executor,  WaitsForKind::process,   WaitsForKind::ready, WaitsForKind::future};

// Unset, empty, false, 0: what `optional` leaves out.
template <typename T> bool is_default(const T &value) {
	if constexpr (std::is_arithmetic_v<T>) {
		return value == T{};
	} else {
		return value.empty();
	}
}
template <typename T> bool is_default(const std::optional<T> &value) { return !value.has_value(); }

} // namespace loopsnoop::output
