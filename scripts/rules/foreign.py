# SPDX-License-Identifier: Apache-2.0
"""Only userspace/foreign opens what belongs to a target, or reads its memory: anywhere else a dead file system would hold loopsnoop up.
For scripts/lint.

Usage: foreign.py [REPOSITORY]

A call that touches a file by its path, or another process's memory, is a finding in every room that deals with targets, but in the files
below, which touch only what answers always: /proc, /sys, and files of our own.
"""
import pathlib
import re
import sys

ROOMS = ("process", "elf", "stacks", "runtimes", "locks", "arch", "inspect", "doctor", "discovery", "session", "collector")
ANSWERS_ALWAYS = {
    "process/pseudo_file.cpp": "/proc",
    "process/procfs.cpp": "/proc/PID/stat",
    "process/placement.cpp": "cgroup file systems",
    "process/unix_diag.cpp": "/proc/PID/ns/net",
    "process/sock_diag.cpp": "/proc/PID/ns/net",
    "stacks/kernel_symbols.cpp": "/proc/kallsyms",
    "stacks/symbolizer.cpp": "/proc/PID itself",
    "doctor/runtime.cpp": "/proc/PID itself",
    "doctor/machine.cpp": "/sys, tracefs",
    "inspect/resolver.cpp": "links of /proc",
    "collector/kernel_side.cpp": "/sys/kernel/btf",
    "collector/samplers.cpp": "/proc/sys",
    "collector/pid_level.cpp": "/proc/self/ns",
    "collector/tracepoints.cpp": "tracefs",
    "session/loop_registry.cpp": "/proc/PID/task",
}
CALL = re.compile(
    r"(?<![\w.>:])(?:::|std::)?(open|openat|fopen|stat|lstat|fstatat|statx|access|faccessat|readlink|readlinkat|opendir|realpath|getxattr|process_vm_readv"
    r"|ifstream|directory_iterator|exists|canonical)\s*\(\s*(?!\))"
)
# lexically_normal() reads the text alone.
STREAM = re.compile(r"\bstd::ifstream\b|\bstd::filesystem::(?!path\(\w+\)\.lexically_normal\(\))")


def findings(userspace):
    for room in ROOMS:
        for path in sorted((userspace / room).rglob("*.cpp")):
            name = str(path.relative_to(userspace))
            if name in ANSWERS_ALWAYS:
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                code = re.sub(r'"(\\.|[^"\\])*"', '""', line).split("//")[0]
                found = STREAM.search(code) or (CALL.search(code) if re.search(r"c_str\(\)|\(\"\"|pid_t", code) else None)
                if found:
                    yield f"userspace/{name}:{number}: {found[0].rstrip('( ')}: ask foreign::access() instead"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    found = [f"scripts/rules/foreign.py: {name} is not there any more" for name in ANSWERS_ALWAYS if not (root / "userspace" / name).exists()]
    found += findings(root / "userspace")
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
