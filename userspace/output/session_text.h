// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/session.h"

namespace loopsnoop::output {

// Lines of a report about the session itself, without a newline; what a target may have chosen is escaped.

// "following uvicorn shop:app (pid 812): CPython 3.11.2, loop on epoll_wait of fd 5"
[[nodiscard]] std::string format_loop(const LoopFound &loop);
// Children with event queues that are not followed.
[[nodiscard]] std::string format_not_followed(const NotFollowed &one);
// Processes below a master or a supervisor, which are followed.
[[nodiscard]] std::string format_workers(const NotFollowed &one);
// Who waits as the session ends, though the loop is idle.
[[nodiscard]] std::string format_waited_for(const WaitedFor &one);
// "grown in shop (pid 812): tasks 11 → 212, connections in 3 → 190 in 25 min, 198 of the tasks in article (/srv/shop/api.py:47)"
[[nodiscard]] std::string format_growth(const GaugesChange &change);

} // namespace loopsnoop::output
