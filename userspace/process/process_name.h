// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/process_name.h"
#include "model/session.h"
#include "process/procfs.h"

namespace loopsnoop::process {

// What /proc says of a process that its names are made from.
struct ProgramFacts {
	std::vector<std::string> arguments;
	std::string program; // file name of the program that runs: "python3.11"; empty: not known
	std::string comm;
	Placement placement;
};

// Of a worker that multiprocessing has started (its arguments are Python's own) those of the process that started it.
[[nodiscard]] ProgramFacts program_facts(const ProcFs &proc, std::uint32_t pid);

// The script or module that an interpreter runs, with the application that a launcher serves: "uvicorn shop:app", "worker.py",
// "manage.py runserver", "shop.jar"; the title of an interpreted program that has given itself one: "gunicorn: worker [shop]"; of
// any other process the file name of its program.
[[nodiscard]] std::string program_name(const ProgramFacts &facts);

// The comm is the interpreter's, or one that a runtime gives its main thread: the program has not chosen it for itself.
[[nodiscard]] bool is_interpreters_name(std::string_view comm);

// `service` is the systemd unit's name without ".service", where it is in one of a service's own; else program_name(). An id of a
// container is nothing that people call it by, and is not among them.
[[nodiscard]] ProcessName name_of(const ProgramFacts &facts);

// Whether people call it that: one of its names as a whole, or a word of one ("uvicorn", "shop:app", "worker" of "worker.py",
// "python3" of "python3.11"), or a container's id, of 12 digits at least.
[[nodiscard]] bool goes_by(const ProgramFacts &facts, std::string_view name);

// All names that a regular expression is tried on.
[[nodiscard]] std::vector<std::string> all_names(const ProgramFacts &facts);

} // namespace loopsnoop::process
