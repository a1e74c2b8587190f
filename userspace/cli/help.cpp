// SPDX-License-Identifier: Apache-2.0
#include "cli/help.h"

namespace loopsnoop::cli {

std::string follow_help(bool with_advanced) {
	std::string text = R"help(loopsnoop: which line of your code blocks the event loop, on what, held up by whom

  loopsnoop -p "$(pgrep -nx uvicorn)"           a running server: each stall as text, as it happens
  loopsnoop -p "$(pgrep -nx node)" -T 20ms      shorter stalls, too
  loopsnoop -p "$(pgrep -nx uvicorn)" -d 60s -j stalls.jsonl
                                                text here, every record in a file, for one minute
  loopsnoop --children -- uvicorn app:app       start a server, follow it from its first instruction
  loopsnoop --all                               every event loop of this host, as processes come and go
  loopsnoop --all --listen 9464 -q              the same for Prometheus, and a page for people
  loopsnoop report stalls.jsonl                 read that file again: no root, no kernel
  loopsnoop dump -p "$(pgrep -nx uvicorn)"      what every thread does now: any process, hung or not
  loopsnoop doctor -p "$(pgrep -nx uvicorn)"    what this machine and this process allow

Usage:
  loopsnoop [OPTIONS] -p PID [-p PID ...]
  loopsnoop [OPTIONS] --all | --comm REGEX | --cgroup PATH
  loopsnoop [OPTIONS] -- COMMAND [ARGUMENT ...]
  loopsnoop report FILE | doctor [-p PID] | dump -p PID      (each has its own --help)

What to follow:
  -p, --pid PID             process to follow; several: -p 4711 -p 4712, or -p 4711,4712
  -t, --tid TID             follow this thread as the loop, whatever it looks like  (default: found)
      --children            follow the processes below the target, old and new      (default: off)
      --all                 each process of this host that has an event loop        (default: off)
      --comm REGEX          the same, but only where the process's name matches; extended,
                            matches anywhere, as in pgrep; several: one of them
      --cgroup PATH         the same, but only in this cgroup and below: a container, a pod,
                            a unit (/system.slice/nginx.service); several: one of them
      --max-loops N         loop threads followed at once, 1 to 4096  (default: 64; 1024 with --all)

When to report:
  -T, --threshold DURATION  report iterations of the loop at least this long        (default: 100ms)
      --hang-after DURATION report a stall that is still running once it is this
                            old, and again each time its age doubles                (default: 1s)
  -d, --duration DURATION   stop after this long                                    (default: until Ctrl-C)
                            DURATION: 500us 20ms 1.5s 2m 1h; a bare number is milliseconds

Where to:
  -j, --json [FILE]         JSON Lines to FILE (mode 0600); without FILE or with -
                            to stdout, and the text to stderr                       (default: off)
      --listen ADDR:PORT    serve Prometheus metrics at http://ADDR:PORT/metrics,
                            a page at /, /healthz; a bare PORT is on 127.0.0.1      (default: off)
      --listen-host NAME    answer requests to http://NAME:PORT, too; several may be given
                            (default: addresses, localhost and this machine's name)
      --fail-on-stall       exit 3 when a stall was reported                        (default: off)
  -q, --quiet               one line a stall, no stacks, no status line
  -v, --verbose             every frame and wait, the verifier's log
      --stack-bytes BYTES   user stack that a capture copies, 4096 to 65536         (default: 65536;
                            16384 with --all, --comm or --cgroup)
      --version             print the version
  -h, --help                print this; with -v the options for testing, too

Exit status: 0 ended as asked, 1 could not start or go on, 2 wrong command line, 3 a stall with --fail-on-stall.
With -- COMMAND its exit status is reported. Following needs root; doctor says what else would do.
The target is never stopped, written to, or left changed.
)help";
	if (with_advanced) {
		text += R"help(
For testing:
      --without FEATURE     do without a feature of the kernel as if it were missing; may be given several times:
                            tracefs            no syscall tracepoints at all
                            file-tracepoints   none on file I/O calls
                            cpu-samples        no stacks of iterations that compute
)help";
	}
	return text;
}

std::string report_help() {
	return R"help(Read a JSON Lines recording again, as text: no root, no kernel.

  loopsnoop report stalls.jsonl
  loopsnoop report -v stalls.jsonl | less -S
  ssh server loopsnoop -p 4711 -d 1m -j | loopsnoop report -

Usage: loopsnoop report [OPTIONS] FILE       (- reads standard input)

  -q, --quiet               one line a stall, no stacks
  -v, --verbose             every frame and wait
  -h, --help                print this

Exit status: 0, or 1 when FILE cannot be read or holds no record of loopsnoop.
)help";
}

std::string doctor_help() {
	return R"help(What this machine, and one process, allow loopsnoop to see, and what to do about the rest.

  loopsnoop doctor
  loopsnoop doctor -p "$(pgrep -nx uvicorn)"

Usage: loopsnoop doctor [-p PID]

  -p, --pid PID             look at this process, too: runtime, symbols, namespaces
  -q, --quiet               only what is missing
  -v, --verbose             what was tried, and what the kernel said
  -h, --help                print this

Exit status: 0 when following would work, with or without things missing; 1 when it would not.
)help";
}

std::string dump_help() {
	return R"help(One look at every thread of a process now: state, what it waits for, its stack. The process is not stopped.

  loopsnoop dump -p "$(pgrep -nx uvicorn)"
  loopsnoop dump -p "$(pgrep -nx uvicorn)" --json

Usage: loopsnoop dump -p PID [--json]

  -p, --pid PID             the process
  -j, --json                as JSON, one line, to stdout                            (default: text)
  -v, --verbose             every frame, and every thread by itself
  -h, --help                print this

The threads that tell most come first: a deadlock, who holds up others, the main thread, who runs; threads that
all wait alike come last, as one. `loopsnoop report` reads the record, too.

Exit status: 0, or 1 when it could not be done.
)help";
}

} // namespace loopsnoop::cli
