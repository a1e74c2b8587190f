// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace loopsnoop::cli {

// What could not be read because a file system or a process's memory did not answer: a line each, on stderr.
void print_unanswered();

} // namespace loopsnoop::cli
