# SPDX-License-Identifier: Apache-2.0
"""How many instructions the kernel's verifier walks for each BPF program, beside what was recorded: how near the limit of a million
they are, and what a change did to it. Loading takes as long as that: verification is most of the time to attach."""
import json
import platform
import re
import subprocess
import sys
from pathlib import Path

import command
import figures

RECORD = Path(__file__).with_name("verifier.json")
LIMIT = 1_000_000
# A program that has grown by more than that since it was recorded is to be examined.
GROWN = 1.5
PROGRAM = re.compile(r"prog '(\w+)': -- BEGIN PROG LOAD LOG --(.*?)-- END PROG LOAD LOG --", re.DOTALL)


def measure(binary):
    """{program: {"instructions": …, "us": …}}, from the log of one start."""
    with subprocess.Popen(["sleep", "60"]) as target:
        try:
            run = subprocess.run([binary, "-v", "-p", str(target.pid), "-d", "1ms"], capture_output=True, text=True, errors="replace", timeout=60)
        finally:
            target.kill()
    if run.returncode != 0:
        raise SystemExit(f"bench: {binary} ended with {run.returncode}: {run.stderr.strip()[-300:]}")
    found = {}
    for name, log in PROGRAM.findall(run.stdout + run.stderr):
        walked = re.search(r"processed (\d+) insns", log)
        took = re.search(r"verification time (\d+) usec", log)
        if walked:
            found[name] = {"instructions": int(walked[1]), "us": int(took[1]) if took else None}
    if not found:
        raise SystemExit("bench: the verifier's log has no counts: libbpf or the kernel prints them otherwise")
    return found


def parse():
    parser = command.parser("verifier", readme=False)
    parser.add_argument("--record", action="store_true", help=f"writes the counts to tests/bench/{RECORD.name}")
    options = parser.parse_args()
    return options


def main(options):
    found = measure(options.binary)
    recorded = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {"programs": {}}
    rows, grown = [], []
    for name, one in sorted(found.items(), key=lambda entry: -entry[1]["instructions"]):
        before = recorded["programs"].get(name)
        ratio = one["instructions"] / before if before else None
        rows.append(row(name, one, before, ratio))
        if ratio and ratio > GROWN:
            grown.append(name)
    total = sum(one["instructions"] for one in found.values())
    head = ("program", "instructions walked", "of the limit", "recorded", "ratio", "ms")
    text = (f"kernel {platform.release()}; recorded on {recorded.get('kernel', 'none')}\n\n{figures.table(head, rows)}\n\n"
            f"{len(found)} programs, {total:,} instructions in all")
    command.publish(options, "verifier", text, {"kernel": platform.release(), "programs": found, "recorded": recorded, "grown": grown})
    if options.record:
        RECORD.write_text(json.dumps({"kernel": platform.release().split("-")[0], "programs": {name: one["instructions"] for name, one in sorted(found.items())}}, indent=2) + "\n",
                          encoding="utf-8")
        return 0
    if grown:
        print(f"bench: grown by more than half since they were recorded: {', '.join(grown)} (--record takes the new counts)", file=sys.stderr)
        return 1
    return 0


def row(name, one, before, ratio):
    took = "–" if one["us"] is None else f"{one['us'] / 1000:.1f}"
    return (f"`{name}`", f"{one['instructions']:,}", f"{one['instructions'] / LIMIT:.1%}", f"{before:,}" if before else "–",
            f"{ratio:.2f}" if ratio else "–", took)


if __name__ == "__main__":
    command.run(parse, main)
