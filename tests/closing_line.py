# SPDX-License-Identifier: Apache-2.0
"""Adds up ctest's JUnit files and prints "N passed, N failed" as the last line; exit status 1 when that is no success.

A ctest test counts one, unless its output closes with pytest's line ("3 passed, 1 skipped in 0.21s") or Catch2's ("test cases: 7 | 6
passed | 1 failed"): then that line's numbers count in its place. In CI (CI=true) a skipped test makes the run fail: nobody would notice it otherwise.

Of what failed, and of what failed and then passed when it was run again, the lines before name the case and say why: a CI may keep the end
of the output only. For that it reads what ctest printed, too (NAME.log beside NAME.xml), if there is any.
"""
import itertools
import os
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

PYTEST_CLOSING = re.compile(r"^(?:=+ )?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s(?: \([\d:]+\))?(?: =+)?$", re.MULTILINE)
CATCH_PASSED = re.compile(r"^All tests passed \(\d+ assertions? in (\d+) test cases?\)$", re.MULTILINE)
CATCH_CLOSING = re.compile(r"^test cases: +\d+(.*)$", re.MULTILINE)
MAX_REASONS = 6
MAX_COLUMNS = 400
COLOUR = re.compile(r"\x1b\[[\d;]*m")


def pytest_counts(output):
    """(passed, failed, skipped) of pytest's last closing line in the output, or None."""
    closing = PYTEST_CLOSING.findall(COLOUR.sub("", output))
    if not closing:
        return None
    count = dict.fromkeys(("passed", "failed", "error", "errors", "skipped", "xfailed", "xpassed"), 0)
    for number, word in re.findall(r"(\d+) ([a-z]+)", closing[-1]):
        count[word] = int(number)
    return (count["passed"] + count["xfailed"], count["failed"] + count["error"] + count["errors"] + count["xpassed"],
            count["skipped"])


def catch_counts(output):
    """(passed, failed, skipped) of Catch2's last closing line in the output, or None."""
    if all_passed := CATCH_PASSED.findall(output):
        return int(all_passed[-1]), 0, 0
    if not (closing := CATCH_CLOSING.findall(output)):
        return None
    count = dict.fromkeys(("passed", "failed", "skipped"), 0)
    for number, word in re.findall(r"\| +(\d+) (passed|failed|skipped)", closing[-1]):
        count[word] = int(number)
    return count["passed"], count["failed"], count["skipped"]


def reasons(output):
    """Which cases failed and why, a few short lines: of each of pytest's or Catch2's the beginning of the first assertion."""
    lines = [line.rstrip() for line in COLOUR.sub("", output).splitlines()]
    found, case = [], None
    for line in lines:
        if head := re.match(r"_{3,} (.+?) _{3,}$", line):
            case = head.group(1)
        elif case and re.match(r"E\s", line):
            found.append(f"{case}: {line[1:].strip()}")
            case = None
    for number, line in enumerate(lines):
        if re.search(r":\d+: FAILED:$", line):
            what = " ".join(part.strip() for part in itertools.takewhile(str.strip, lines[number + 1:number + 5]))
            found.append(f"{os.path.basename(line[:-len(': FAILED:')])}: {what}")
    return [f"    {line[:MAX_COLUMNS]}" for line in found[:MAX_REASONS]] + (["    …"] if len(found) > MAX_REASONS else [])


def first_failures(log):
    """{name: what it printed} of the tests that failed, at the first time, in what ctest printed."""
    failures = {}
    for block in re.split(r"^(?=\s*\d+/\d+ Test\s+#\d+: )", COLOUR.sub("", log), flags=re.MULTILINE)[1:]:
        head = re.match(r"\s*\d+/\d+ Test\s+#\d+: (.+?) \.*\s*\*\*\*", block)
        if head:
            failures.setdefault(head.group(1), block)
    return failures


def run_again(output):
    """What pytest's section "run again" says (e2e/conftest.py): cases that failed, and were run once more."""
    section = re.search(r"^=+ run again =+$\n(.*?)^(?:=|\d+ )", COLOUR.sub("", output), re.MULTILINE | re.DOTALL)
    return [f"run again: {line}" for line in section.group(1).splitlines() if line] if section else []


def case_counts(case):
    """(passed, failed, skipped) of one <testcase> that ctest wrote."""
    status = case.get("status")
    output = case.findtext("system-out") or ""
    counts = pytest_counts(output) or catch_counts(output)
    if status == "run":
        return counts or (1, 0, 0)
    if case.find("skipped") is not None or status in ("notrun", "disabled"):
        # ctest says "notrun" of a program that is missing, too; that is no skip.
        missing = case.find("skipped") is not None and "Unable to find executable" in (case.find("skipped").get("message") or "")
        return (0, 1, 0) if missing else (0, 0, 1)
    passed, failed, skipped = counts or (0, 1, 0)
    return passed, max(failed, 1), skipped


def main(files):
    total = [0, 0, 0]
    not_passed = []
    for path in files:
        log = pathlib.Path(path).with_suffix(".log")
        first = first_failures(log.read_text(encoding="utf-8", errors="replace")) if log.exists() else {}
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            counts = case_counts(case)
            output, name = case.findtext("system-out") or "", case.get("name")
            not_passed += run_again(output)
            total = [a + b for a, b in zip(total, counts)]
            if counts[1]:
                not_passed += [f"failed: {name}", *reasons(output)]
            elif counts[2]:
                not_passed.append(f"skipped: {name}")
            elif name in first:
                not_passed += [f"run again: {name}", *reasons(first[name])]
    passed, failed, skipped = total
    in_ci = os.environ.get("CI") == "true"
    if skipped and in_ci:
        not_passed.append(f"{skipped} skipped: in CI that is a failure")
    print("", *not_passed, sep="\n")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed or (skipped and in_ci) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
